"""What is slow to count: counted aside, shown for a while, never counted twice at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
FRESH_S = 15.0
GONE_S = 120.0


@dataclass(slots=True)
class Kept(Generic[T]):
    """A figure that many look at.

    Args:
        count: counts it.
        fresh_s: seconds for which it is shown as it is; then it is counted anew while the
            old one is shown.
        gone_s: seconds after which the old one is not shown any more.
    """

    count: Callable[[], Awaitable[T]]
    fresh_s: float = FRESH_S
    gone_s: float = GONE_S
    _at: float = -1.0
    _found: "list[T]" = field(default_factory=list)
    _task: "asyncio.Task[T] | None" = None

    async def get(self) -> T:
        """The figure, at most `gone_s` old."""
        age = time.monotonic() - self._at
        if self._found and age < self.fresh_s:
            return self._found[0]
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._count())
        if self._found and age < self.gone_s:
            return self._found[0]
        return await asyncio.shield(self._task)

    async def _count(self) -> T:
        found = await self.count()
        self._at, self._found = time.monotonic(), [found]
        return found
