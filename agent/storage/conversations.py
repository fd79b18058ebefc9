"""Conversations as trackers: locked, loaded, and committed with their turns."""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from agent.dialogue.events import Event, UserUttered
from agent.dialogue.reminders import first_due
from agent.dialogue.tracker import Tracker
from agent.feedback.echoes import texts_in
from agent.feedback.names import NO_NAMES, NameLabels, told_names
from agent.feedback.records import mask_record
from agent.project.types import Domain
from agent.storage.connection import StoreAwayError
from agent.storage.counters import counters_of
from agent.storage.lock import Lease
from agent.storage.store import Store
from agent.turn import Message, Turn
from agent.turn_record import turn_record

CACHED = 400  # trackers of active conversations, some 70 kB each
# How far back a conversation is looked through for personal data that an answer may repeat.
_RECENT_EVENTS = 100
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A tracker kept between turns; right as long as nobody else has held the lock since."""

    tracker: Tracker
    fence: int | None


@dataclass(slots=True)
class Conversation:
    """An open conversation: its tracker and how much of it is stored.

    `unknown_past` marks one that began while Redis was away, so that its past is not known.
    """

    tracker: Tracker
    lease: Lease
    stored: int
    _owner: "Conversations"
    unknown_past: bool = False

    def needs_session(self, message: Message) -> bool:
        """Whether this message begins a new session."""
        return self.tracker.new_session_needed(message.received_at.timestamp())

    def new_events(self) -> list[Event]:
        """What happened since it was opened."""
        return self.tracker.events[self.stored :]

    async def commit(self, turn: Turn) -> None:
        """Store the turn and the new events in one durable step (or spool them)."""
        await self._owner.write(self, turn)

    async def save(self) -> None:
        """Store the new events outside a turn.

        Raises:
            StoreError: Redis is away, or another process took the conversation.
        """
        await self._owner.append(self)

    async def replace(self, tracker: Tracker) -> None:
        """Put another past in the place of this conversation's. Raises as `save` does."""
        self.tracker, self.stored = tracker, 0
        await self._owner.append(self, replace=True)


class Conversations:
    """Opens conversations one message at a time.

    Args:
        store: where they live; its spool takes turns while Redis is away.
        mask: whether personal data are hidden in a turn's record before it is logged.
        names: the entities that are names of people.
    """

    def __init__(self, store: Store, *, mask: bool = True, names: NameLabels = NO_NAMES) -> None:
        self._store, self._mask, self._names = store, mask, names
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._unnoted: dict[str, datetime] = {}

    @asynccontextmanager
    async def open(self, conversation_id: str, domain: Domain) -> AsyncIterator[Conversation]:
        """Hold a conversation's lock and its tracker; what is not committed is undone.

        Raises:
            StoreError: another process holds it for too long.
        """
        async with self._store.lock(conversation_id) as lease:
            conversation = await self._load(conversation_id, domain, lease)
            try:
                yield conversation
            finally:
                self._keep(conversation)

    async def peek(self, conversation_id: str, domain: Domain) -> Tracker:
        """The conversation as it stands, for reading only; empty for an unknown one."""
        async with self.open(conversation_id, domain) as conversation:
            return conversation.tracker.copy()

    def latest(self, conversation_id: str) -> Tracker | None:
        """What this process holds of a conversation, without a look at the store."""
        held = self._held.get(conversation_id)
        return None if held is None else held.tracker

    async def _load(self, conversation_id: str, domain: Domain, lease: Lease) -> Conversation:
        held = self._held.pop(conversation_id, None)
        if held is not None and _still_right(held, lease):
            tracker = held.tracker
            if tracker.domain is not domain:
                tracker = Tracker(conversation_id, domain, tracker.events)
            return Conversation(tracker, lease, len(tracker.events), self)
        try:
            events = await self._store.load_events(conversation_id)
        except StoreAwayError as error:
            _log.warning("a conversation begins anew: %s", error)
            tracker = Tracker(conversation_id, domain)
            return Conversation(tracker, lease, 0, self, unknown_past=True)
        tracker = Tracker.from_events(conversation_id, domain, events)
        return Conversation(tracker, lease, len(tracker.events), self)

    def _keep(self, conversation: Conversation) -> None:
        """Keep the tracker for the next turn, without what was not committed."""
        tracker = conversation.tracker
        if conversation.new_events():
            tracker = Tracker(
                tracker.conversation_id, tracker.domain, tracker.events[: conversation.stored]
            )
        if conversation.lease.lost:
            return
        self._held[tracker.conversation_id] = Held(tracker, conversation.lease.fence)
        while len(self._held) > CACHED:
            self._held.popitem(last=False)

    async def append(self, conversation: Conversation, *, replace: bool = False) -> None:
        """Store what is new outside a turn, or (`replace`) in the place of all there was."""
        await self._note_reminders(conversation)
        events = [event.to_dict() for event in conversation.new_events()]
        if events or replace:
            await self._store.append_events(
                conversation.tracker.conversation_id,
                events,
                fence=conversation.lease.fence,
                replace=replace,
            )
        conversation.stored = len(conversation.tracker.events)

    async def write(self, conversation: Conversation, turn: Turn) -> None:
        """Store a turn and what is new in its conversation, or spool them while Redis is away."""
        record = turn_record(turn)
        if self._mask:
            tracker, labels = conversation.tracker, self._names
            names = _names_told(tracker, labels) if labels else ()
            record = mask_record(record, _told(tracker), labels=labels, names=names)
        with suppress(StoreAwayError):  # noted later, when Redis is back
            await self._note_reminders(conversation)
        events = [event.to_dict() for event in conversation.new_events()]
        conversation_id = conversation.tracker.conversation_id
        counters, at = counters_of(turn), turn.message.received_at
        try:
            lease = conversation.lease
            lease.released = await self._store.commit_turn(
                record,
                conversation_id,
                events,
                fence=lease.fence,
                counters=counters,
                at=at,
                release=lease.token,
            )
        except StoreAwayError:
            if self._store.spool is None:
                raise
            await self._store.spool.add_turn(
                record, conversation_id, events, counters=counters, at=at
            )
        conversation.stored = len(conversation.tracker.events)

    async def _note_reminders(self, conversation: Conversation) -> None:
        """Tell the store when to look for due reminders, before they are stored.

        So none is lost when the process dies in between; a look in vain does no harm.

        Raises:
            StoreAwayError: Redis is away; the next turn of any conversation tries again.
        """
        due = first_due(conversation.new_events())
        conversation_id = conversation.tracker.conversation_id
        if due is not None:
            earlier = self._unnoted.get(conversation_id, due)
            self._unnoted[conversation_id] = min(earlier, due)
        for waiting, at in list(self._unnoted.items()):
            await self._store.reminders.add(waiting, at)
            del self._unnoted[waiting]


def _still_right(held: Held, lease: Lease) -> bool:
    """Whether nobody else has held the conversation since (each taking raises the fence by one).

    While Redis is away what this process holds is the best there is.
    """
    if lease.fence is None:
        return True
    return held.fence is not None and lease.fence == held.fence + 1


def _told(tracker: Tracker) -> Iterator[str]:
    """What a user has told of late: slots and the latest messages."""
    yield from texts_in(tracker.slots)
    for event in tracker.events[-_RECENT_EVENTS:]:
        if isinstance(event, UserUttered) and event.text:
            yield event.text


def _names_told(tracker: Tracker, labels: NameLabels) -> Iterator[str]:
    """The names of people that a user has told of late: slots called so, entities."""
    for name, value in tracker.slots.items():
        if name.casefold() in labels:
            yield from texts_in(value)
    for event in tracker.events[-_RECENT_EVENTS:]:
        if isinstance(event, UserUttered):
            yield from told_names({**event.parse_data, "text": event.text}, labels)
