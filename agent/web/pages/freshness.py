"""Keeps what reviewers see up to date without making them wait for it."""

import asyncio
import logging
from dataclasses import dataclass, field

from agent.errors import AgentError
from agent.feedback.queue import ReviewQueue

LONGEST_WAIT_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Freshness:
    """Takes new messages into the queue, once at a time for all who look at it.

    Args:
        queue: the review queue.
    """

    queue: ReviewQueue
    _task: "asyncio.Task[None] | None" = field(default=None)

    async def wait(self) -> None:
        """Bring the queue up to date; what takes longer than a moment goes on by itself."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._refresh())
        await asyncio.wait({self._task}, timeout=LONGEST_WAIT_S)

    async def _refresh(self) -> None:
        try:
            await self.queue.refresh()
        except AgentError as error:
            # What was known before can still be reviewed.
            _log.warning("the review queue is not up to date: %s", error)
