"""Windows of time in which items are counted, and the history of one series of counts."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from agent.storage.monitor_log import Counts

HOUR_S = 3600
DAY_S = 24 * HOUR_S
WEEK_S = 7 * DAY_S
ALL = "all"
SEPARATOR = "|"
MOST_ENTITIES = 20_000
"""Entities whose counts are held; the seldom ones go first."""
# So many windows may be strays, before a pause this long and so many times longer than usual.
MOST_STRAYS, PAUSE_S, LONG_PAUSE = 5, 2 * WEEK_S, 10.0


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What is counted together: `kind` is `all`, `topic` or `entity`."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


def window_of(moment: datetime, width_s: int) -> int:
    """The start of the window (seconds since 1970) that a time falls into."""
    return int(moment.timestamp()) // width_s * width_s


def field_name(series: Series, sentiment: str) -> str:
    """The name of a count in a window's hash."""
    return SEPARATOR.join((series.kind, sentiment, series.name))


def read_field(name: str) -> tuple[Series, str]:
    """The series and the sentiment that a count belongs to."""
    kind, sentiment, rest = name.split(SEPARATOR, 2)
    return Series(kind, rest), sentiment


@dataclass(slots=True)
class History:
    """The counts of all series by window; a window without items counts zero.

    `width_s` is a window's length, `counts` maps a series to its counts by window and sentiment,
    `windows` are those with items, in order.
    """

    width_s: int
    counts: dict[Series, dict[int, dict[str, int]]] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    windows: list[int] = field(default_factory=list)

    def put(self, window: int, counts: Counts) -> set[Series]:
        """Take over a window's counts as the log has them; the series whose counts changed."""
        self.first = window if self.first is None else min(self.first, window)
        self.last = window if self.last is None else max(self.last, window)
        place = bisect_left(self.windows, window)
        if self.windows[place : place + 1] != [window]:
            self.windows.insert(place, window)
        changed = set()
        for name, count in counts.items():
            series, sentiment = read_field(name)
            known = self.counts.setdefault(series, {}).setdefault(window, {})
            if known.get(sentiment) != count:
                known[sentiment] = count
                changed.add(series)
        return changed

    def begun(self, window: int) -> int | None:
        """The window with which the history of this one begins; None without any before it.

        A few windows long before all others are items with wrong dates, and no history.
        """
        order = self.windows[: bisect_left(self.windows, window)]
        if not order:
            return None
        gaps = np.diff([*order, window])
        begin = 0
        for place in np.flatnonzero(gaps[:MOST_STRAYS] > PAUSE_S):
            later = gaps[place + 1 :]
            if not len(later) or gaps[place] > LONG_PAUSE * float(np.median(later)):
                begin = int(place) + 1
        return order[begin] if begin < len(order) else window

    def drop_before(self, window: int) -> None:
        """Let go of the windows before one, of series without any, and of too many entities."""
        for series, counts in list(self.counts.items()):
            for old in [at for at in counts if at < window]:
                del counts[old]
            if not counts:
                del self.counts[series]
        del self.windows[: bisect_left(self.windows, window)]
        if self.first is not None:
            self.first = max(self.first, window)
        entities = [series for series in self.counts if series.kind == "entity"]
        if len(entities) > MOST_ENTITIES:
            # Some more than need be, so that this is not to be done at every window.
            entities.sort(key=self._seen)
            for series in entities[: len(entities) - MOST_ENTITIES * 9 // 10]:
                del self.counts[series]

    def _seen(self, series: Series) -> int:
        return sum(sum(counts.values()) for counts in self.counts[series].values())

    def values(
        self, series: Series, sentiment: str | None, start: int, end: int
    ) -> NDArray[np.float64]:
        """Counts (n,) of the windows from `start` up to and without `end`.

        `sentiment` None counts all items.
        """
        values = np.zeros(max(0, (end - start) // self.width_s))
        for window, counts in self.counts.get(series, {}).items():
            if start <= window < end:
                values[(window - start) // self.width_s] = total(counts, sentiment)
        return values


def total(counts: Mapping[str, int], sentiment: str | None) -> int:
    """The items of one sentiment, or of all."""
    return sum(counts.values()) if sentiment is None else counts.get(sentiment, 0)
