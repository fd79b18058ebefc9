"""What the dashboard counts: messages by day, fallbacks, trends of intents, resolution."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from agent.feedback.gaps import unanswered
from agent.feedback.signals import is_handoff
from agent.storage.store import Store
from agent.turn import now

DAYS = 14
TRENDS = 12


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day's counters."""

    day: date
    turns: int
    fallbacks: int
    corrections: int
    intents: Mapping[str, int]

    @property
    def fallback_rate(self) -> float:
        """The share in [0, 1] of the messages that nothing answered."""
        return self.fallbacks / self.turns if self.turns else 0.0


@dataclass(frozen=True, slots=True)
class Trend:
    """An intent's messages by day, oldest first, and in this week and the week before."""

    intent: str
    by_day: tuple[int, ...]
    this_week: int
    last_week: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """Of the latest conversations, those that ended without fallback, person or complaint."""

    conversations: int
    resolved: int
    handed_over: int
    fell_back: int

    @property
    def share(self) -> float | None:
        """Resolved conversations in [0, 1], None where there are none."""
        return self.resolved / self.conversations if self.conversations else None


async def read_days(store: Store, days: int = DAYS) -> list[Day]:
    """The counters of the last days, oldest first, today included."""
    today = now().date()
    found = []
    for back in range(days - 1, -1, -1):
        day = today - timedelta(days=back)
        found.append(_day(day, await store.counters(day)))
    return found


def _day(day: date, counters: Mapping[str, int]) -> Day:
    prefix = "intent:"
    intents = {n.removeprefix(prefix): c for n, c in counters.items() if n.startswith(prefix)}
    return Day(
        day,
        counters.get("turns", 0),
        counters.get("fallback", 0),
        counters.get("corrections_accepted", 0),
        intents,
    )


def trends(days: Sequence[Day], limit: int = TRENDS) -> list[Trend]:
    """The most frequent intents of these days, most frequent first."""
    total: Counter[str] = Counter()
    for day in days:
        total.update(day.intents)
    return [_trend(intent, days) for intent, _ in total.most_common(limit)]


def _trend(intent: str, days: Sequence[Day]) -> Trend:
    by_day = tuple(day.intents.get(intent, 0) for day in days)
    return Trend(intent, by_day, sum(by_day[-7:]), sum(by_day[-14:-7]))


async def resolution(turns: AsyncIterator[dict[str, Any]], complaints: Iterable[str]) -> Resolution:
    """How the latest conversations went.

    Args:
        turns: the latest logged turns.
        complaints: conversations whose users said that an answer was wrong.
    """
    every: set[str] = set()
    handed: set[str] = set()
    fell: set[str] = set()
    async for turn in turns:
        conversation = {turn["message"]["conversation_id"]}
        every |= conversation
        if any(is_handoff(decision["action"]) for decision in turn["decisions"]):
            handed |= conversation
        if unanswered(turn):
            fell |= conversation
    failed = handed | fell | (set(complaints) & every)
    return Resolution(len(every), len(every) - len(failed), len(handed), len(fell))


def bars(values: Sequence[float], height: int = 100) -> list[tuple[int, float, float]]:
    """Bars of a chart as (number, y, height), scaled so that the largest value fills it.

    >>> bars([1, 2], 10)
    [(0, 5.0, 5.0), (1, 0.0, 10.0)]
    """
    top = max(values, default=0) or 1
    return [(i, height - height * v / top, height * v / top) for i, v in enumerate(values)]
