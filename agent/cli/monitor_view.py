"""What `agent monitor` shows: lines, JSON lines, or a table that moves."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC
from time import monotonic
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agent.cli.monitor import print_json
from agent.monitor.labels import NO_TOPIC, Labelled
from agent.monitor.monitor import Monitor, Step, said
from agent.monitor.windows import Series, total

_PROBLEMS = 20
_NEW_TOPICS = 10
_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN_WINDOWS = 24
_SILENT_S = 600.0
_SENTIMENTS = ("positive", "neutral", "negative")
_STYLES = {"positive": "green", "negative": "red"}


class Shown:
    """Tells a person, or a program, what the monitor finds.

    Args:
        monitor: what is shown.
        as_json: JSON lines to standard output instead of words.
        live: a table that moves.
        items: every item, too.
    """

    def __init__(self, monitor: Monitor, *, as_json: bool, live: bool, items: bool) -> None:
        self._monitor, self._as_json, self._items = monitor, as_json, items
        self._console = Console(stderr=as_json)
        self._errors = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False) if live else None
        self._problems = self._repeated = self._late = self._read = 0
        self._latest: list[Labelled] = []
        self._alarms: list[str] = []
        self._begun = self._heard = monotonic()
        self._silence_told = False

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    async def step(self, step: Step) -> None:
        """Tell of one batch."""
        self._read += len(step.items)
        self._repeated += step.repeated
        self._late += step.late
        self._tell_silence(step)
        for problem in step.problems:
            self._problem(f"{problem.place}: {problem.reason}")
        for item in step.items:
            self._item(item)
        for alarm in step.alarms:
            if self._as_json:
                print_json({"type": "alarm", **alarm.as_json()})
            else:
                self._tell_alarm(said(alarm), alarm.headlines)
        if self._live is not None:
            self._latest = [*self._latest, *step.items][-5:]
            self._live.update(self._table(), refresh=True)

    async def report(self) -> None:
        """Tell what is known in all: counts, alarms, new topics."""
        found = await self.document()
        if self._as_json:
            print_json({"type": "report", **found})
            return
        self._console.print(self._table())
        self._tell_new_topics(found["new_topics"])
        state = found["totals"]
        self._console.print(
            f"{state.get('items', 0)} items in all, {self._read} of them now; "
            f"{self._repeated} counted before; {self._problems} lines not read; "
            f"{self._late} late; {len(found['alarms'])} alarms",
            highlight=False,
        )

    async def document(self) -> dict[str, Any]:
        """The report as one document."""
        from agent.monitor.report import report

        return await report(self._monitor)

    def _item(self, item: Labelled) -> None:
        if self._as_json:
            print_json({"type": "item", **item.as_json(masking=self._monitor.masking)})
        elif self._items and self._live is None:
            self._console.print(_line(item))

    def _problem(self, line: str) -> None:
        self._problems += 1
        if self._problems <= _PROBLEMS:
            sys.stderr.write(f"agent: {line}\n")
        elif self._problems == _PROBLEMS + 1:
            sys.stderr.write("agent: further lines that cannot be read are only counted\n")

    def _tell_alarm(self, line: str, headlines: Sequence[str]) -> None:
        self._alarms = [*self._alarms, line][-5:]
        if self._live is not None:
            return
        self._console.print(Text(line, style="bold red"))
        for text in headlines:
            self._console.print(Text(f"    {text}"), soft_wrap=True)

    def _tell_new_topics(self, topics: Sequence[Mapping[str, Any]]) -> None:
        for topic in topics[:_NEW_TOPICS]:
            words = ", ".join(topic["words"]) or "?"
            line = f"new topic ({topic['count']} items): {words}: {topic['examples'][0]}"
            self._console.print(Text(line), no_wrap=True, overflow="ellipsis")
        if len(topics) > _NEW_TOPICS:
            more = f"{len(topics) - _NEW_TOPICS} smaller new topics; --report --json has them all"
            self._console.print(Text(more))

    def _tell_silence(self, step: Step) -> None:
        """Say once when a stream that should go on brings nothing for long."""
        if step.items or step.problems:
            self._heard, self._silence_told = monotonic(), False
        elif not self._silence_told and monotonic() - self._heard > _SILENT_S:
            self._silence_told = True
            self._errors.print(f"nothing has arrived for {_SILENT_S / 60:.0f} minutes")

    def _table(self) -> Group:
        history = self._monitor.watch.history
        table = Table(box=None, pad_edge=False, title_justify="left")
        for title in ("topic", "items", *_SENTIMENTS, "over time"):
            table.add_column(title, justify="left" if title in ("topic", "over time") else "right")
        topics = [series for series in history.counts if series.kind == "topic"]
        sums = {series: self._sums(series) for series in topics}
        for series in sorted(topics, key=lambda s: -sum(sums[s].values())):
            numbers = [str(sums[series].get(name, 0)) for name in _SENTIMENTS]
            name = "(fits none)" if series.name == NO_TOPIC else series.name
            table.add_row(name, str(sum(sums[series].values())), *numbers, self._bars(series))
        parts: list[Any] = [table]
        parts += [Text(line, style="bold red") for line in self._alarms if self._live is not None]
        if self._live is not None:
            parts += [_line(item) for item in self._latest]
            rate = self._read / max(monotonic() - self._begun, 0.001)
            parts.append(Text(f"{self._read} items, {rate:.0f} a second", style="dim"))
        return Group(*parts)

    def _sums(self, series: Series) -> Counter[str]:
        sums: Counter[str] = Counter()
        for counts in self._monitor.watch.history.counts[series].values():
            sums.update(counts)
        return sums

    def _bars(self, series: Series) -> str:
        """The last windows' counts of what surges, as small bars."""
        history, rules = self._monitor.watch.history, self._monitor.watch.rules
        if history.last is None:
            return ""
        start = history.last - (_SHOWN_WINDOWS - 1) * rules.width_s
        counts = history.counts[series]
        values = [
            total(counts.get(start + i * rules.width_s, {}), rules.sentiment)
            for i in range(_SHOWN_WINDOWS)
        ]
        top = max(*values, 1)
        return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in values)


def _line(item: Labelled) -> Text:
    when = item.item.date.astimezone(UTC)
    line = Text(f"{when:%m-%d %H:%M} ", style="dim")
    line.append(f"{item.topic:<12} ", style="cyan")
    line.append(f"{item.sentiment:<9}", style=_STYLES.get(item.sentiment, ""))
    line.append(item.item.text)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
