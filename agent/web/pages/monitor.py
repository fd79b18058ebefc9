"""What `agent monitor` counted: sentiment by topic over time, alarms, items, a label put right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from agent.errors import InputError
from agent.monitor.assemble import monitor_names, open_log
from agent.monitor.delivery import delivery_of
from agent.monitor.labels import SENTIMENT_HEAD
from agent.monitor.watch import series_of
from agent.monitor.windows import ALL, History, Series
from agent.storage.monitor_log import MonitorLog
from agent.web.pages.desk import Desk, PageRoute, see

WINDOWS = 60
SHOWN = 50
SCANNED = 2_000
TOPICS = 20
LATEST = 253_402_300_800  # the year 10000
MOST_WINDOWS = 400  # that one link may ask items of
FEWEST = 13  # windows before the last that are shown at least
TONES = ("negative", "neutral", "positive", "unknown")


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a bar: `x` in windows, `y` and `height` in [0, 100], from the top.

    `window` is the start of its window, seconds since 1970.
    """

    x: int
    y: float
    height: float
    tone: str
    title: str
    window: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """A topic's windows as stacked bars, and the places (x) of its alarms."""

    topic: str
    total: int
    negative: int
    blocks: tuple[Block, ...]
    alarms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items are shown; empty and 0 stand for any.

    `at` is the last window (seconds since 1970) of as many as `windows` says.
    """

    topic: str = ""
    tone: str = ""
    at: int = 0
    entity: str = ""
    windows: int = 1

    def fits(self, row: Mapping[str, Any], width_s: int) -> bool:
        """Whether a kept item is one of them; windows are `width_s` seconds long."""
        earliest = self.at - (self.windows - 1) * width_s
        return (
            (not self.topic or row["topic"] == self.topic)
            and (self.tone not in TONES or row["sentiment"] == self.tone)
            and (not self.at or earliest <= row["window"] <= self.at)
            and (not self.entity or Series("entity", self.entity) in series_of(row))
        )


_NOTHING = {"charts": (), "alarms": (), "items": (), "from_to": ("", ""), "windows": WINDOWS}


def build_router(desk: Desk) -> APIRouter:
    """The routes under /review/monitor."""
    router = APIRouter(prefix="/review/monitor", route_class=PageRoute, include_in_schema=False)
    assistant = desk.services.assistant

    @router.get("")
    async def show_monitor(
        request: Request,
        name: str = "",
        topic: str = "",
        tone: str = "",
        at: int = 0,
        entity: str = "",
        windows: Annotated[int, Query(ge=1, le=MOST_WINDOWS)] = 1,
    ) -> Response:
        await desk.user(request)
        names = await monitor_names(assistant.store)
        name = name if name in names else next(iter(names), "")
        values: dict[str, Any] = dict(_NOTHING)
        if name:
            log = open_log(assistant.store, assistant.settings.monitor, name)
            values = await _values(log, Wanted(topic, tone, at, entity, windows))
        return await desk.page(
            request,
            "monitor.html",
            names=names,
            name=name,
            topic=topic,
            tone=tone if tone in TONES else "",
            at=at,
            entity=entity,
            span=windows,
            at_clock=clock(at) if 0 < at < LATEST else "",
            tones=TONES,
            tellable=TONES[:3],
            intents=[(one, desk.title(one)) for one in assistant.intents],
            done=request.query_params.get("done", ""),
            **values,
        )

    @router.post("/correct")
    async def correct(request: Request) -> Response:
        user, form = await desk.form(request)
        text, intent, tone = (form.get(name) for name in ("text", "intent", "tone"))
        if not intent:
            raise InputError("choose the topic that the item belongs to")
        if tone and tone not in TONES[:3]:
            raise InputError(f"{tone[:40]!r} is no tone: use one of {', '.join(TONES[:3])}")
        labels = {SENTIMENT_HEAD: tone} if tone else {}
        made = await assistant.feedback.correct(
            None, text=text, intent=intent, labels=labels, reviewer=user.name
        )
        await desk.record(user, "monitor item corrected", made.id)
        told = ", ".join(one for one in (desk.title(intent), tone) if one)
        back = {"name": form.get("name"), "topic": form.get("topic"), "done": told}
        return see("/review/monitor?" + urlencode(back))

    return router


async def _values(log: MonitorLog, wanted: Wanted) -> dict[str, Any]:
    """What the page shows of a monitor."""
    width = int((await log.state()).get("width_s", 3600))
    windows = await log.windows()
    if not windows:
        return dict(_NOTHING)
    start = max(windows[-1] - (WINDOWS - 1) * width, min(windows[0], windows[-1] - FEWEST * width))
    history = History(width)
    for window, counts in (await log.counts([w for w in windows if w >= start])).items():
        history.put(window, counts)
    alarms = await log.alarms()
    rows = await log.items(limit=SCANNED)
    return {
        "charts": charts(history, start, alarms),
        "alarms": [
            {**a, "window": _start(a), "trouble": delivery_of(a).trouble}
            for a in alarms[::-1][:TOPICS]
        ],
        "items": [row for row in rows if wanted.fits(row, width)][:SHOWN],
        "from_to": (clock(start), clock(windows[-1])),
        "windows": (windows[-1] - start) // width + 1,
    }


def charts(history: History, start: int, alarms: Sequence[Mapping[str, Any]]) -> tuple[Chart, ...]:
    """The whole and the largest topics as stacked bars on one scale each, largest first."""
    found = []
    for series in history.counts:
        if series.kind != "entity":
            found.append(_chart(history, series, start, alarms))
    return tuple(sorted(found, key=lambda chart: -chart.total)[:TOPICS])


def _chart(
    history: History, series: Series, start: int, alarms: Sequence[Mapping[str, Any]]
) -> Chart:
    width = history.width_s
    counts = history.counts[series]
    columns = [counts.get(start + x * width, {}) for x in range(WINDOWS)]
    top = max((sum(column.values()) for column in columns), default=0) or 1
    blocks = [
        block
        for x, column in enumerate(columns)
        for block in _stack(x, column, 100 / top, start + x * width)
    ]
    raised = {
        (_start(a) - start) // width
        for a in alarms
        if (a["kind"], a["name"]) == (series.kind, series.name)
    }
    return Chart(
        topic="" if series.kind == ALL else series.name,
        total=sum(sum(column.values()) for column in columns),
        negative=sum(column.get("negative", 0) for column in columns),
        blocks=tuple(blocks),
        alarms=tuple(sorted(x for x in raised if 0 <= x < WINDOWS)),
    )


def _start(alarm: Mapping[str, Any]) -> int:
    """The window that an alarm was raised in, seconds since 1970."""
    return int(datetime.fromisoformat(str(alarm["at"])).timestamp())


def _stack(x: int, column: Mapping[str, int], scale: float, window: int) -> list[Block]:
    """One bar, the negative items at its foot."""
    blocks, foot, when = [], 100.0, clock(window)
    for tone in TONES:
        count = column.get(tone, 0)
        if count:
            height = count * scale
            foot -= height
            blocks.append(Block(x, foot, height, tone, f"{when}: {count} {tone}", window))
    return blocks


def clock(window: int) -> str:
    """A window's start for people.

    >>> clock(0)
    '1970-01-01 00:00'
    """
    return f"{datetime.fromtimestamp(window, UTC):%Y-%m-%d %H:%M}"
