"""Follows a conversation for a client that listens: what the assistant says by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from agent.assemble import Assistant
from agent.dialogue.events import Event
from agent.storage.connection import StoreAwayError
from agent.web.history import bot_messages
from agent.web.sse import numbered
from agent.web.turns import BusyError

LISTENERS = 1_000
LOOK_S = 1.0
ALIVE_S = 15.0
LONGEST_S = 600.0


@dataclass(slots=True)
class Watching:
    """The listeners of this process, bounded in number and time; clients come back by id.

    Args:
        assistant: the running assistant.
        stopping: set when the server stops; nobody listens on then.
        listening: how many listen.
    """

    assistant: Assistant
    stopping: asyncio.Event
    listening: int = 0

    async def follow(self, conversation_id: str, last_event_id: str | None) -> AsyncIterator[str]:
        """Events of a conversation after a position (None: from now on).

        Raises:
            BusyError: too many listen.
        """
        if self.listening >= LISTENERS:
            raise BusyError(30)
        self.listening += 1
        try:
            async for event in self._events(conversation_id, last_event_id):
                yield event
        finally:
            self.listening -= 1

    async def _events(self, conversation_id: str, last_event_id: str | None) -> AsyncIterator[str]:
        known = _position(last_event_id)
        stored, alive = -1, time.monotonic()
        end = time.monotonic() + LONGEST_S
        yield "retry: 2000\n\n"
        while time.monotonic() < end and not self.stopping.is_set():
            length = await self._stored(conversation_id)
            if length != stored:
                stored = length
                events = await self._read(conversation_id)
                if known is None or known > len(events):
                    known = len(events)
                messages = bot_messages(events, known)
                known = len(events)
                if messages:
                    yield numbered(messages, known)
            if time.monotonic() - alive > ALIVE_S:
                alive = time.monotonic()
                yield ": alive\n\n"
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), LOOK_S)

    async def _stored(self, conversation_id: str) -> int:
        """How many entries the store has of it; one cheap question."""
        store = self.assistant.store
        name = store.keys.events(conversation_id)
        try:
            return int(await store.connection.run(lambda c: c.llen(name)))
        except StoreAwayError:
            return -1

    async def _read(self, conversation_id: str) -> list[Event]:
        brain = await self.assistant.brains.current()
        tracker = await self.assistant.conversations.peek(conversation_id, brain.domain)
        return list(tracker.events)


def _position(text: str | None) -> int | None:
    """The position that an event's id states, None if it states none."""
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None
