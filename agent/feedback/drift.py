"""Drift: daily counts that leave their usual band, told as alarms."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal

from agent.monitor.delivery import delivery_of
from agent.monitor.surge import upper_tail
from agent.monitor.webhook import Webhook, let_pass
from agent.settings import MonitorSettings
from agent.storage.monitor_log import MonitorLog
from agent.storage.store import Store
from agent.turn import now

MONITOR = "drift"
HISTORY_DAYS, LEAST_DAYS = 56, 14
# Half a false alarm a month is aimed at, over all series, both directions and both spans.
_FALSE_A_DAY = 0.5 / 30
_SPANS = (1, 2)
_QUIET_DAYS = 7
_SERIES = ("intent:", "entity:")
_SINGLE = ("fallback", "out_of_scope", "unsure", "corrections_pending")
# Below this many expected and seen, a series is too thin to be judged.
_LEAST = 5
_log = logging.getLogger(__name__)
Kind = Literal["more", "less"]


@dataclass(frozen=True, slots=True)
class DayCounts:
    """A UTC day's counters (`turns` among them)."""

    day: date
    counts: Mapping[str, int]

    @property
    def turns(self) -> int:
        """How many turns the day had."""
        return int(self.counts.get("turns", 0))


@dataclass(frozen=True, slots=True)
class Alarm:
    """A share that left its band: `value` and `expected` are shares of the turns in [0, 1].

    `p` is how likely so much (or so little) is on a usual day, `days` over how many days.
    """

    day: date
    name: str
    kind: Kind
    value: float
    expected: float
    p: float
    days: int

    @property
    def id(self) -> str:
        """The same for the same alarm."""
        return f"{self.day.isoformat()}:{self.name}:{self.kind}"


def find_drift(days: Sequence[DayCounts]) -> list[Alarm]:
    """The alarms of the last of these days (the others are its history), likeliest first.

    For each share (of an intent, an entity, fallbacks, messages out of scope, unsure ones,
    complaints) the days before give a mean and a variance, no less than a binomial's; the
    last day and the last two days are compared with a negative binomial law of these
    moments, in both directions. The level of a test is 0.5/30 a day divided by the number of
    tests (Bonferroni), so that stationary traffic raises at most one alarm a month.
    """
    if len(days) < LEAST_DAYS + 1 or not days[-1].turns:
        return []
    names = sorted({n for d in days for n in d.counts if n.startswith(_SERIES) or n in _SINGLE})
    level = _FALSE_A_DAY / max(2 * len(_SPANS) * len(names), 1)
    found = []
    for name in names:
        tests = [t for span in _SPANS if (t := _test(days, name, span)) is not None]
        best = min(tests, key=lambda alarm: alarm.p, default=None)
        if best is not None and best.p < level:
            found.append(best)
    return sorted(found, key=lambda alarm: alarm.p)


def _test(days: Sequence[DayCounts], name: str, span: int) -> Alarm | None:
    """How unusual a share is over the last `span` days."""
    past, present = days[:-span][-HISTORY_DAYS:], days[-span:]
    past = [d for d in past if d.turns]
    if len(past) < LEAST_DAYS:
        return None
    turns = sum(d.turns for d in present)
    seen = sum(d.counts.get(name, 0) for d in present)
    total = sum(d.turns for d in past)
    share = (sum(d.counts.get(name, 0) for d in past) + 0.5) / (total + 1.0)
    mean = share * turns
    if max(seen, mean) < _LEAST:
        return None
    variance = mean * (_dispersion(past, name, share) + turns / total)
    more = upper_tail(seen, mean, variance)
    less = 1.0 - upper_tail(seen + 1, mean, variance)
    kind: Kind = "more" if more < less else "less"
    return Alarm(days[-1].day, name, kind, seen / turns, share, min(more, less), span)


def _dispersion(past: Sequence[DayCounts], name: str, share: float) -> float:
    """How much wider days scatter than chance alone; its upper 95 % limit, at least 1."""
    squares = [
        (d.counts.get(name, 0) - share * d.turns) ** 2 / max(share * d.turns, 0.05) for d in past
    ]
    found = sum(squares) / (len(past) - 1)
    return float(max(1.0, found * (1.0 + 1.645 * (2.0 / (len(past) - 1)) ** 0.5)))


async def read_days(store: Store, last: date, count: int = HISTORY_DAYS + 2) -> list[DayCounts]:
    """The counters of so many days up to and with `last`, oldest first."""
    days = [last - timedelta(days=back) for back in range(count - 1, -1, -1)]
    return [DayCounts(day, await store.counters(day)) for day in days]


async def watch_drift(store: Store) -> list[Alarm]:
    """Look at yesterday; new alarms are kept and logged.

    A share that raised an alarm in the last week raises no other one.
    """
    log = MonitorLog(store.connection, store.keys, MONITOR)
    yesterday = now().date() - timedelta(days=1)
    recent = {
        (alarm.name, alarm.kind)
        for alarm in await alarms(store, days=_QUIET_DAYS + 1)
        if alarm.day != yesterday
    }
    raised = []
    for alarm in find_drift(await read_days(store, yesterday)):
        if (alarm.name, alarm.kind) in recent:
            continue
        data = {**asdict(alarm), "day": alarm.day.isoformat(), "id": alarm.id, "at": _stamp()}
        if await log.add_alarm(alarm.id, data):
            _log.warning(
                "drift: %s has a share of %.3f, usual is %.3f",
                alarm.name,
                alarm.value,
                alarm.expected,
            )
            await store.count("drift_alarms")
            raised.append(alarm)
    return raised


async def tell(store: Store, settings: MonitorSettings) -> bool:
    """Send the alarms that are due to the webhook; whether none is left that waits for it."""
    log = MonitorLog(store.connection, store.keys, MONITOR)
    if not settings.webhook:
        await let_pass(log)
        return True
    hook = Webhook(settings.webhook, settings.webhook_secret, log)
    await hook.deliver()
    return not await hook.waiting()


async def troubles(store: Store) -> dict[str, str]:
    """What is wrong with the delivery of alarms, by their ids."""
    kept = await MonitorLog(store.connection, store.keys, MONITOR).alarms()
    found = {str(data["id"]): delivery_of(data).trouble for data in kept}
    return {name: trouble for name, trouble in found.items() if trouble}


async def alarms(store: Store, *, days: int = 60) -> list[Alarm]:
    """The alarms of the latest days, newest first."""
    log = MonitorLog(store.connection, store.keys, MONITOR)
    oldest = now().date() - timedelta(days=days)
    found = [_read(data) for data in await log.alarms()]
    return sorted((a for a in found if a.day >= oldest), key=lambda a: a.day, reverse=True)


def _read(data: Mapping[str, object]) -> Alarm:
    return Alarm(
        date.fromisoformat(str(data["day"])),
        str(data["name"]),
        "more" if data["kind"] == "more" else "less",
        float(str(data["value"])),
        float(str(data["expected"])),
        float(str(data["p"])),
        int(str(data["days"])),
    )


def _stamp() -> str:
    return now().isoformat()
