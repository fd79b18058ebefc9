"""The clock of reminders: sends those that are due, in every process, each once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from agent.dialogue.reminders import pending, reminder_message
from agent.errors import AgentError
from agent.manager import DialogueManager
from agent.storage.conversations import Conversation
from agent.storage.store import Store
from agent.turn import Message, Turn, now

Deliver = Callable[[Turn], Awaitable[None]]
_AT_ONCE = 100
_RETRY_S = 5.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Reminders:
    """Sends due reminders as messages to their conversations.

    The conversation's events say which reminders stand; the store only knows when to look at
    a conversation. So a reminder is sent once, though several processes watch the clock, and
    one that fell due while none ran is sent when one starts.

    Args:
        manager: answers the messages.
        store: knows when a conversation has a reminder due.
        period_s: seconds between two looks at the clock.
    """

    manager: DialogueManager
    store: Store
    period_s: float = 0.5

    async def run(self, deliver: Deliver, *, only: str | None = None) -> None:
        """Send what is due, for ever.

        Args:
            deliver: takes each turn to its user; what it raises is logged.
            only: the one conversation to look after (None: all).
        """
        away = False
        while True:
            try:
                await self.send_due(deliver, only=only)
                away = False
            except AgentError as error:
                if not away:
                    _log.warning("reminders wait: %s", error)
                away = True
            await asyncio.sleep(self.period_s)

    async def send_due(self, deliver: Deliver, *, only: str | None = None) -> int:
        """Send what is due now; how many reminders. One that fails is tried again later.

        Raises:
            StoreAwayError: Redis is away.
        """
        sent = 0
        for conversation_id in await self.store.reminders.due(now(), limit=_AT_ONCE, only=only):
            try:
                turns = await self._send(conversation_id)
            except Exception as error:
                _log.exception("a reminder is tried again in %g s: %s", _RETRY_S, error)
                await self.store.reminders.put(conversation_id, now() + timedelta(seconds=_RETRY_S))
                continue
            sent += len(turns)
            for turn in turns:
                await _delivered(deliver, turn)
        return sent

    async def _send(self, conversation_id: str) -> Sequence[Turn]:
        """Send a conversation's due reminders, and note when the next one is due."""
        turns: list[Turn] = []
        brain = await self.manager.brains.current()
        async with self.manager.conversations.open(conversation_id, brain.domain) as held:
            while (message := _due_message(held)) is not None:
                turns.append(await self.manager.handle(message, held=held))
            standing = pending(held.tracker.events)
            await self.store.reminders.put(conversation_id, standing[0].due if standing else None)
        return turns


def _due_message(held: Conversation) -> Message | None:
    """The message of the first reminder that is due."""
    standing = pending(held.tracker.events)
    if not standing or standing[0].due > now():
        return None
    return reminder_message(standing[0], held.tracker)


async def _delivered(deliver: Deliver, turn: Turn) -> None:
    try:
        await deliver(turn)
    except Exception:
        _log.exception("a reminder's replies could not be delivered")


__all__ = ["Deliver", "Reminders"]
