"""One call under way in the action process."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class ProcessGone(Exception):  # noqa: N818 - a state, told apart from an action's own failure
    """The process ended before it answered; the message is for the person."""


@dataclass(slots=True, eq=False)
class Call:
    """One call under way: `started` once the action runs, `answer` when it has ended."""

    id: int
    action: str
    tracker: Mapping[str, Any]
    started: bool = False
    answer: asyncio.Future[dict[str, Any]] = field(default_factory=lambda: _future())
    _begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_begun(self, timeout_s: float) -> bool:
        """Wait until the action begins (or the call is over); False if it took too long."""
        try:
            await asyncio.wait_for(self._begun.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def begin(self) -> None:
        """The action runs."""
        self.started = True
        self._begun.set()

    def finish(self, outcome: dict[str, Any] | ProcessGone) -> None:
        """The action has answered, or its process is gone."""
        self._begun.set()
        if self.answer.done():
            return
        if isinstance(outcome, ProcessGone):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


def _future() -> asyncio.Future[dict[str, Any]]:
    return asyncio.get_running_loop().create_future()
