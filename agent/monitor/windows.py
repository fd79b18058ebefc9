"""Windows of time in which items are counted, and the history of one series of counts."""

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

    `width_s` is a window's length, `counts` maps a series to its counts by window and sentiment.
    """

    width_s: int
    counts: dict[Series, dict[int, dict[str, int]]] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None

    def put(self, window: int, counts: Counts) -> None:
        """Take over a window's counts as the log has them."""
        self.first = window if self.first is None else min(self.first, window)
        self.last = window if self.last is None else max(self.last, window)
        for name, count in counts.items():
            series, sentiment = read_field(name)
            self.counts.setdefault(series, {}).setdefault(window, {})[sentiment] = count

    def drop_before(self, window: int) -> None:
        """Let go of the windows before one, of series without any, and of too many entities."""
        for series, counts in list(self.counts.items()):
            for old in [at for at in counts if at < window]:
                del counts[old]
            if not counts:
                del self.counts[series]
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
