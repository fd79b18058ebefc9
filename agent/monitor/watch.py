"""Looks at each series' counts as they grow, and raises an alarm when they surge."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.monitor.expectation import SCALES, Expectation, expectations
from agent.monitor.surge import Surge, surge, threshold
from agent.monitor.windows import ALL, DAY_S, WEEK_S, History, Series, total
from agent.storage.monitor_log import Counts

_WEEKS = 26
# The p-values from which the threshold is set, and how many of the entities are watched.
_PAST = 5000
_ENTITIES = 200


@dataclass(frozen=True, slots=True)
class WatchRules:
    """When to raise an alarm.

    `false_alarms_a_week` is wanted over all watched series together; `least` is the count
    below which nothing is a surge; an entity is watched once it has `entity_history` items.
    `sentiment` is the one that is counted, None for all items.
    """

    width_s: int
    false_alarms_a_week: float = 0.5
    cooldown_s: int = 24 * 3600
    learn_s: int = 2 * WEEK_S
    least: int = 5
    entity_history: int = 30
    sentiment: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A surge of one series in the window that begins at `window` (seconds since 1970).

    `scale` windows that end with it hold `observed` items where `expected` were due; `p` in
    [0, 1] is how likely so many are without a surge. Of a window that an earlier alarm told of,
    `observed` holds no more than was due. `headlines` are items that caused it.
    """

    series: Series
    window: int
    width_s: int
    scale: int
    observed: int
    expected: float
    p: float
    sentiment: str | None
    headlines: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """One alarm a series and window."""
        return f"{self.series}@{self.window}"

    @property
    def earliest(self) -> int:
        """The first of the windows that it sums up."""
        return self.window - (self.scale - 1) * self.width_s

    def counts(self, record: Mapping[str, Any]) -> bool:
        """Whether a kept item is one of those that were observed."""
        inside = self.earliest <= record["window"] <= self.window
        told = self.sentiment in (None, record["sentiment"])
        return inside and told and self.series in series_of(record)

    def as_json(self) -> dict[str, Any]:
        """What is printed, sent and kept."""
        at = datetime.fromtimestamp(self.window, UTC)
        return {
            "id": self.id,
            "at": at.isoformat(),
            "kind": self.series.kind,
            "name": self.series.name,
            "sentiment": self.sentiment or "any",
            "window_s": self.width_s,
            "windows": self.scale,
            "observed": self.observed,
            "expected": round(self.expected, 2),
            "times": round(self.observed / max(self.expected, 0.01), 2),
            "p": self.p,
            "headlines": list(self.headlines),
        }


@dataclass(slots=True)
class Watch:
    """The watched series of one monitor.

    Args:
        rules: when to raise an alarm.
        history: the counts, kept in step with the log by the caller.
    """

    rules: WatchRules
    history: History
    raised: dict[Series, list[tuple[int, int]]] = field(default_factory=dict)
    past: deque[float] = field(default_factory=lambda: deque(maxlen=_PAST))
    _settled: int | None = None
    _cache: dict[Series, tuple[int, list[Expectation]]] = field(default_factory=dict)
    _begun: tuple[int, int | None] = (-1, None)
    _watched: tuple[int, list[Series]] = (-1, [])

    def take(self, window: int, counts: Counts) -> set[Series]:
        """Take over a window's counts; the series whose counts changed.

        What a change of an earlier window lets expect of later ones is reckoned anew.
        """
        changed = self.history.put(window, counts)
        if window != self.history.last:
            self._begun = (-1, None)
            for series in changed:
                if series in self._cache and self._cache[series][0] > window:
                    del self._cache[series]
        return changed

    @property
    def lateness_s(self) -> int:
        """How far behind the newest window one may be and still raise an alarm.

        As far as the longest sum goes, and by as much as an item's date may lie ahead.
        """
        return max(max(SCALES) * self.rules.width_s, DAY_S)

    def remember(self, alarms: Iterable[Mapping[str, Any]]) -> None:
        """Take over alarms that were raised before, for the cool-down."""
        for alarm in alarms:
            series = Series(str(alarm["kind"]), str(alarm["name"]))
            window = int(datetime.fromisoformat(str(alarm["at"])).timestamp())
            self.raised.setdefault(series, []).append((window, int(alarm["windows"])))

    def let_go(self, newest: int) -> None:
        """Forget what is too old to be learned from, as seen from the newest window."""
        self.history.drop_before(newest - _WEEKS * WEEK_S)
        self._cache = {s: held for s, held in self._cache.items() if s in self.history.counts}
        for series, raised in list(self.raised.items()):
            kept = [(at, scale) for at, scale in raised if at >= newest - _WEEKS * WEEK_S]
            if kept:
                self.raised[series] = kept
            else:
                del self.raised[series]

    def judge(self, windows: Sequence[int], *, now_s: float | None = None) -> list[Alarm]:
        """The alarms of these windows, oldest window first.

        The newest one may still be growing, and so may those that are not over at `now_s`
        (seconds since 1970).
        """
        alarms: list[Alarm] = []
        for window in sorted(windows):
            self._settle(window)
            alpha = threshold(self._alpha(window), self.past)
            growing = self._grows(window, now_s)
            for series in self._series(window):
                if not self._cools(series, window):
                    alarms += self._alarms(series, window, alpha, growing=growing)
        return alarms

    def judge_late(
        self, windows: Sequence[int], changed: Collection[Series], *, now_s: float | None = None
    ) -> list[Alarm]:
        """The alarms of windows judged before in which these series have changed since.

        A series that raised an alarm shortly before or after raises no other one.
        """
        newest = self.history.last
        if newest is None or not windows:
            return []
        alpha = threshold(self._alpha(newest), self.past)
        alarms: list[Alarm] = []
        for window in sorted(windows):
            growing = self._grows(window, now_s)
            for series in self._series(newest):
                if series in changed and not self._cools(series, window, after=True):
                    alarms += self._alarms(series, window, alpha, growing=growing)
        return alarms

    def _alarms(
        self, series: Series, window: int, alpha: float, *, growing: bool
    ) -> Iterator[Alarm]:
        """The alarm of a series in a window, if there is one."""
        found = self._surge(series, window, growing=growing)
        if found is not None and found.p < alpha:
            self.raised.setdefault(series, []).append((window, found.scale))
            yield self._alarm(series, window, found)

    def _grows(self, window: int, now_s: float | None) -> bool:
        over = window + self.rules.width_s
        return window == self.history.last or (now_s is not None and over > now_s)

    def _series(self, window: int) -> list[Series]:
        """What is watched: everything, each topic, and entities with some history."""
        if self._watched[0] == window:
            return self._watched[1]
        topics = [s for s in self.history.counts if s.kind != "entity"]
        named = {s: self._seen(s, window) for s in self.history.counts if s.kind == "entity"}
        known = [s for s, seen in named.items() if seen >= self.rules.entity_history]
        most = sorted(known, key=lambda s: -named[s])[:_ENTITIES]
        self._watched = (window, sorted([*topics, *most]))
        return self._watched[1]

    def _seen(self, series: Series, window: int) -> int:
        """The items of a series before a window."""
        counts = self.history.counts[series]
        return sum(sum(found.values()) for at, found in counts.items() if at < window)

    def _settle(self, window: int) -> None:
        """Take the p-values of windows that are over into `past`."""
        first, width, rules = self._start(window), self.rules.width_s, self.rules
        if first is None:
            return
        most = _PAST // max(1, len(self._series(window)))
        start = max(first + rules.learn_s, window - most * width)
        for closed in range(max(start, self._settled or start), window, width):
            for series in self._series(closed):
                cools = self._cools(series, closed)
                found = None if cools else self._surge(series, closed, growing=False)
                self.past.append(1.0 if found is None else found.p)
        self._settled = max(window, self._settled or window)

    def _cools(self, series: Series, window: int, *, after: bool = False) -> bool:
        """Whether the series raised an alarm shortly before the window (or `after` it)."""
        cooldown = self.rules.cooldown_s
        begin = -cooldown if after else 0
        return any(begin <= window - at <= cooldown for at, _ in self.raised.get(series, ()))

    def _surge(self, series: Series, window: int, *, growing: bool) -> Surge | None:
        rules = self.rules
        counts = self.history.counts[series].get(window)
        if not counts:
            return None
        present = total(counts, rules.sentiment)
        return surge(
            self._expected(series, window),
            present,
            others=total(counts, None) - present,
            growing=growing,
            least=rules.least,
        )

    def _alpha(self, window: int) -> float:
        """The rate of false alarms that one series may have in one window."""
        windows, series = WEEK_S / self.rules.width_s, max(1, len(self._series(window)))
        return min(0.05, self.rules.false_alarms_a_week / windows / series)

    def _expected(self, series: Series, window: int) -> list[Expectation]:
        held = self._cache.get(series)
        if held is not None and held[0] == window:
            return held[1]
        width, first = self.rules.width_s, self._start(window)
        found: list[Expectation] = []
        if first is not None and window - first >= self.rules.learn_s:
            start = max(first, window - _WEEKS * WEEK_S)
            values = self.history.values(series, self.rules.sentiment, start, window)
            others = self.history.values(series, None, start, window) - values
            skip = self._covered(series, start, len(values))
            told = self._told(series, start, len(values))
            found = expectations(values, start, width, skip=skip, others=others, told=told)
        self._cache[series] = (window, found)
        return found

    def _start(self, window: int) -> int | None:
        """The window from which on there is history to judge this one by."""
        if self._begun[0] != window:
            self._begun = (window, self.history.begun(window))
        return self._begun[1]

    def _covered(self, series: Series, start: int, count: int) -> NDArray[np.bool_]:
        """The windows that alarms of this series cover."""
        covered = np.zeros(count, dtype=np.bool_)
        width = self.rules.width_s
        after = max(self.rules.cooldown_s // width, *SCALES)
        for window, scale in self.raised.get(series, ()):
            last = (window - start) // width
            covered[max(0, last - scale + 1) : max(0, last + after)] = True
        # A series that is nothing but alarms has learned that this is how it is.
        return covered if covered.mean() < 0.5 else np.zeros(count, dtype=np.bool_)

    def _told(self, series: Series, start: int, count: int) -> NDArray[np.bool_]:
        """The windows whose items raised an alarm: one surge is told once, not at each length."""
        told = np.zeros(count, dtype=np.bool_)
        for window, scale in self.raised.get(series, ()):
            last = (window - start) // self.rules.width_s
            told[max(0, last - scale + 1) : max(0, last + 1)] = True
        return told

    def _alarm(self, series: Series, window: int, found: Surge) -> Alarm:
        return Alarm(
            series=series,
            window=window,
            width_s=self.rules.width_s,
            scale=found.scale,
            observed=found.observed,
            expected=found.expected,
            p=found.p,
            sentiment=self.rules.sentiment,
        )


def series_of(record: Mapping[str, Any]) -> set[Series]:
    """The series that a kept item may count in."""
    values = (str(e["value"]).strip("$#@'\" .,").casefold() for e in record["entities"])
    names = {" ".join(value.split())[:80] for value in values}
    entities = {Series("entity", name) for name in names if name}
    return {Series(ALL), Series("topic", str(record["topic"])), *entities}
