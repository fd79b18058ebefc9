"""What Rasa's surface does to a conversation besides sending it a message."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agent.actions.types import ActionResult
from agent.brain import Brain, Brains
from agent.dialogue.event_checks import checked
from agent.dialogue.events import Event, SessionStarted, event_from_dict
from agent.dialogue.tracker import Tracker
from agent.errors import InputError
from agent.storage.conversations import Conversation, Conversations
from agent.turn import Decision, Message, new_id
from agent.understanding.rasa_format import understanding_from_parse
from agent.web.errors import HttpError

MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Opened:
    """An open conversation and the brain that serves it."""

    brain: Brain
    conversation: Conversation

    @property
    def tracker(self) -> Tracker:
        """The conversation's tracker."""
        return self.conversation.tracker


@dataclass(frozen=True, slots=True)
class Dialogues:
    """Reads and changes conversations, one change of a conversation at a time.

    Each method raises StoreError when the conversation stays busy or cannot be stored.
    """

    brains: Brains
    conversations: Conversations

    async def tracker(self, conversation_id: str) -> Tracker:
        """A conversation as it stands, for reading only; one that is new has its session begun."""
        async with self._open(conversation_id) as opened:
            tracker = opened.tracker.copy()
        if not tracker.events:
            await opened.brain.start_session(tracker, "")
        return tracker

    async def require(self, conversation_id: str) -> None:
        """Refuse what is asked of a conversation that nobody has begun (404)."""
        async with self._open(conversation_id) as opened:
            if not opened.tracker.events:
                raise HttpError(404, "Conversation ID not found.", reason="Not found")

    async def append(self, conversation_id: str, events: Sequence[Event]) -> Tracker:
        """Append events; a new conversation begins its session first, unless they do."""
        async with self._open(conversation_id) as opened:
            if not events or not isinstance(events[0], SessionStarted):
                await self._begin(opened, "")
            opened.tracker.extend(events)
            await opened.conversation.save()
            return opened.tracker.copy()

    async def replace(self, conversation_id: str, events: Sequence[Event]) -> Tracker:
        """Put these events in the place of all."""
        async with self._open(conversation_id) as opened:
            tracker = Tracker(conversation_id, opened.brain.domain, events)
            await opened.conversation.replace(tracker)
            return tracker.copy()

    async def execute(
        self, conversation_id: str, decision: Decision, channel: str
    ) -> tuple[Tracker, ActionResult]:
        """Run one action, whatever the policies say."""
        async with self._open(conversation_id) as opened:
            await self._begin(opened, channel)
            result = await opened.brain.act(decision, opened.tracker, None, channel)
            await opened.conversation.save()
            return opened.tracker.copy(), result

    async def hear(self, message: Message, parse_data: Mapping[str, Any] | None) -> Tracker:
        """Put a user's message into the tracker without an answer to it."""
        async with self._open(message.conversation_id) as opened:
            if opened.conversation.needs_session(message):
                await opened.brain.start_session(opened.tracker, message.channel, message.metadata)
            brain = opened.brain
            heard = (
                await self.brains.parse(brain, message.text)
                if parse_data is None
                else understanding_from_parse({"text": message.text, **parse_data})
            )
            await brain.hear(opened.tracker, message, heard)
            await opened.conversation.save()
            return opened.tracker.copy()

    async def predict(self, conversation_id: str) -> tuple[Tracker, Decision]:
        """The next action, which is not run."""
        async with self._open(conversation_id) as opened:
            tracker = opened.tracker.copy()
            return tracker, opened.brain.policies.decide(tracker)

    @asynccontextmanager
    async def _open(self, conversation_id: str) -> AsyncIterator[Opened]:
        brain = await self.brains.current()
        async with self.conversations.open(conversation_id, brain.domain) as conversation:
            yield Opened(brain, conversation)

    async def _begin(self, opened: Opened, channel: str) -> None:
        """Begin a new conversation's session as a first message would."""
        if not opened.tracker.events:
            await opened.brain.start_session(opened.tracker, channel)


def read_events(data: Any) -> list[Event]:
    """Events of a request's body: one object, or a list of them.

    Raises:
        InputError: none, too many, or one that is no event.
    """
    items = data if isinstance(data, list) else [data]
    if not items or len(items) > MAX_EVENTS:
        raise InputError(f"give 1 to {MAX_EVENTS} events, got {len(items)}")
    return [_event(item) for item in items]


def _event(item: Any) -> Event:
    if not isinstance(item, dict):
        raise InputError(f"an event is a JSON object, got {str(item)[:80]!r}")
    try:
        return checked(event_from_dict(item))
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"event {item.get('event')!r} cannot be read: {error}") from error


def external_message(
    conversation_id: str, intent: str, entities: Mapping[str, Any], channel: str
) -> Message:
    """A message that injects an intent, as Rasa marks it."""
    payload = json.dumps(dict(entities), ensure_ascii=False) if entities else ""
    return Message(new_id(), conversation_id, f"EXTERNAL: /{intent}{payload}", channel)
