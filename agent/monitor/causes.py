"""The headlines of an alarm: items of what grew most, more than its share of what was due."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz

from agent.monitor.watch import Alarm, series_of
from agent.monitor.windows import ALL, History, Series

HEADLINES = 5
_ALIKE = 85.0
Record = Mapping[str, Any]


def headlines(alarm: Alarm, records: Iterable[Record], history: History) -> tuple[str, ...]:
    """Texts of items that caused an alarm, no text twice, the weightiest cause first.

    An item belongs to a topic and to entities. Each of these that the alarm is not about itself
    has an excess: its count in the alarm's windows beyond what its share of all that came before
    lets expect of what was due. Items stand for the one of theirs with the largest excess, and
    each of these gets places by its excess (D'Hondt's method), its surest items first; one that
    says nearly the same as another comes after all that do not.

    Args:
        alarm: what was found.
        records: kept items, of whatever windows and series.
        history: the counts of all series.
    """
    excess = _Excess(alarm, history)
    items = {r["text"]: r for r in records if alarm.counts(r)}
    groups: dict[Series | None, list[Record]] = {}
    for record in items.values():
        groups.setdefault(excess.cause(record), []).append(record)
    for cause, members in groups.items():
        members.sort(key=lambda r: (-excess.sum(r), -float(r["sentiment_confidence"] or 0.0)))
        groups[cause] = _different_first(members)
    chosen: list[str] = []
    taken = dict.fromkeys(groups, 0)
    while groups and len(chosen) < HEADLINES:
        cause = max(groups, key=lambda one: excess.of(one) / (taken[one] + 1))
        chosen.append(str(groups[cause][taken[cause]]["text"]))
        taken[cause] += 1
        if taken[cause] == len(groups[cause]):
            del groups[cause]
    return tuple(chosen)


def _different_first(records: Sequence[Record]) -> list[Record]:
    """As many as are shown that differ from each other, then the others, each in their order."""
    different: list[Record] = []
    others: list[Record] = []
    for record in records:
        text = str(record["text"]).casefold()
        alike = (fuzz.ratio(text, str(one["text"]).casefold()) >= _ALIKE for one in different)
        if len(different) == HEADLINES or any(alike):
            others.append(record)
        else:
            different.append(record)
    return [*different, *others]


class _Excess:
    """How many more items than were due a topic or an entity has in an alarm's windows."""

    def __init__(self, alarm: Alarm, history: History) -> None:
        self._alarm, self._history = alarm, history
        self._known: dict[Series, float] = {}
        self._past = max(1.0, self._counted(alarm.series, before=True))

    def of(self, series: Series | None) -> float:
        """The excess of one of them, 0 where there is none."""
        if series is None:
            return 0.0
        if series not in self._known:
            share = min(1.0, self._counted(series, before=True) / self._past)
            due = share * self._alarm.expected
            self._known[series] = max(0.0, self._counted(series) - due)
        return self._known[series]

    def cause(self, record: Record) -> Series | None:
        """What an item stands for; None where nothing of it grew."""
        return max(self._others(record), key=self.of, default=None)

    def sum(self, record: Record) -> float:
        """What all that an item belongs to grew by."""
        return sum(self.of(series) for series in self._others(record))

    def _others(self, record: Record) -> Sequence[Series]:
        own = self._alarm.series
        found = [s for s in series_of(record) if s != own and s.kind != ALL]
        return [series for series in found if self.of(series)]

    def _counted(self, series: Series, *, before: bool = False) -> float:
        """A series' items in the alarm's windows, or in those before."""
        alarm, history = self._alarm, self._history
        begin, end = alarm.earliest, alarm.window + alarm.width_s
        if before:
            first = history.begun(begin)
            begin, end = begin if first is None else first, begin
        return float(history.values(series, alarm.sentiment, begin, end).sum())
