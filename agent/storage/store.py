"""Store: what must last. Conversations, the turn log, corrections and announcements in Redis."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from agent.errors import StoreError
from agent.feedback.correction import Correction, State
from agent.storage.codec import decode, encode
from agent.storage.connection import Connection, StoreAwayError
from agent.storage.corrections import START, CorrectionChange, CorrectionShelf
from agent.storage.forget import Forgotten, forget_conversation
from agent.storage.keys import DAY_S, SCHEMA, Keys, Lifetimes
from agent.storage.lock import ConversationLocks, Lease, LockLostError
from agent.storage.scripts import (
    ADD_EVENTS,
    BEFORE,
    CLAIM_SCHEMA,
    COMMIT_TURN,
    DONE,
    FORGOTTEN,
)
from agent.turn import now

PREFIX = "intent-agent"
BLOCK_MS = 1000
RETRY_S = 1.0
_log = logging.getLogger(__name__)


class Store:
    """One project's store. Open it with `Store.open`, close it with `close` or `async with`.

    Every method raises StoreAwayError within a few seconds when Redis does not answer and
    StoreError when it refuses. Conversation ids may be any text.
    """

    def __init__(self, connection: Connection, keys: Keys, lifetimes: Lifetimes) -> None:
        self.connection, self.keys, self.lifetimes = connection, keys, lifetimes
        self._locks = ConversationLocks(connection, keys, lifetimes)
        self._corrections = CorrectionShelf(connection, keys, lifetimes)

    @classmethod
    async def open(
        cls,
        url: str,
        project_root: Path | None = None,
        *,
        project_id: str | None = None,
        prefix: str = PREFIX,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 - frozen
    ) -> "Store":
        """Connect, starting the embedded server if the URL is `embedded:`.

        Args:
            url: redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or embedded:.
            project_root: the project's folder, where the embedded server lives.
            project_id: separates projects on one Redis; the folder's name unless given.
            prefix: what every key starts with.
            lifetimes: how long things are kept.

        Raises:
            StoreError: it cannot be reached, or a newer version has written in it.
        """
        project = project_id or (project_root.resolve().name if project_root else "default")
        keys = Keys(prefix, re.sub(r"[{}]", "_", project))
        connection = await Connection.open(url, project_root)
        store = cls(connection, keys, lifetimes)
        try:
            await store._claim_schema()
        except BaseException:
            await connection.close()
            raise
        return store

    async def close(self) -> None:
        """Close the connections; the last client of an embedded server stops it."""
        await self.connection.close()

    async def __aenter__(self) -> "Store":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ping(self) -> None:
        """Raise StoreAwayError unless Redis answers."""
        await self.connection.run(lambda c: c.ping())

    async def durability(self) -> str:
        """When Redis puts a write on its disk: `always`, `everysec`, `no`, `never` or `unknown`."""
        try:
            found = await self.connection.run(lambda c: c.config_get("append*"))
        except StoreAwayError:
            raise
        except StoreError:  # managed servers often forbid CONFIG
            return "unknown"
        if found.get("appendonly") != "yes":
            return "never"
        return str(found.get("appendfsync", "unknown"))

    # Conversations

    def lock(
        self, conversation_id: str, *, wait_s: float = 60.0
    ) -> AbstractAsyncContextManager[Lease]:
        """Hold a conversation while one message is handled; pass `lease.fence` to the writes.

        When Redis is away the lock holds in this process only and `lease.fence` is None.
        """
        return self._locks.hold(conversation_id, wait_s=wait_s)

    async def load_events(self, conversation_id: str) -> list[dict[str, Any]]:
        """All stored events of a conversation in order, empty for a new or expired one."""
        name = self.keys.events(conversation_id)
        items = await self.connection.run(lambda c: c.lrange(name, 0, -1))
        what = f"the events of conversation {conversation_id[:80]!r}"
        return [event for item in items for event in decode(item, what)["events"]]

    async def commit_turn(
        self,
        turn_record: Mapping[str, Any],
        conversation_id: str,
        new_events: Sequence[Mapping[str, Any]],
        *,
        fence: int | None = None,
        counters: Mapping[str, int] | None = None,
        at: datetime | None = None,
    ) -> bool:
        """Log a turn, append its events and count it, in one durable step.

        Args:
            turn_record: the turn as JSON values; `id` names it and makes the step idempotent.
            conversation_id: whose turn it is.
            new_events: what happened in it, appended to the conversation.
            fence: the lease's; the write is refused once another process holds the lock.
            counters: what to add to the day's counters (`turns` is counted anyway).
            at: when it happened (replayed turns); now unless given.

        Returns:
            False if this turn was logged before, or its conversation was forgotten since.

        Raises:
            LockLostError: the fence is an old one; nothing was written.
        """
        moment = at or now()
        names = [
            self.keys.turn(str(turn_record["id"])),
            self.keys.turns,
            self.keys.events(conversation_id),
            self.keys.conversation_turns(conversation_id),
            self.keys.fence(conversation_id),
            self.keys.counters(moment.astimezone(UTC).date().isoformat()),
            self.keys.conversations,
            self.keys.forgotten(conversation_id),
        ]
        counted = {"turns": 1, **(counters or {})}
        values = [
            str(turn_record["id"]),
            _storable(conversation_id),
            encode({"turn": dict(turn_record)}),
            encode({"events": list(new_events)}) if new_events else "",
            "" if fence is None else fence,
            self.lifetimes.events_s,
            self.lifetimes.turns_s,
            self.lifetimes.turns_length,
            moment.timestamp(),
            self.lifetimes.counters_s,
            *(part for pair in counted.items() for part in pair),
        ]
        answer = await self.connection.run(
            lambda c: c.eval(COMMIT_TURN, len(names), *names, *values)
        )
        if answer[0] in (DONE, BEFORE, FORGOTTEN):
            return bool(answer[0] == DONE)
        raise _lock_lost(conversation_id)

    async def append_events(
        self,
        conversation_id: str,
        events: Sequence[Mapping[str, Any]],
        *,
        fence: int | None = None,
        replace: bool = False,
    ) -> None:
        """Append events outside a turn, or put them in the place of all.

        Raises:
            LockLostError: the fence is an old one; nothing was written.
        """
        names = [
            self.keys.events(conversation_id),
            self.keys.fence(conversation_id),
            self.keys.conversations,
        ]
        values = [
            encode({"events": list(events)}) if events else "",
            "" if fence is None else fence,
            self.lifetimes.events_s,
            now().timestamp(),
            _storable(conversation_id),
            "1" if replace else "0",
        ]
        answer = await self.connection.run(lambda c: c.eval(ADD_EVENTS, 3, *names, *values))
        if answer[0] != DONE:
            raise _lock_lost(conversation_id)

    async def conversations(self, *, limit: int = 100) -> list[tuple[str, datetime]]:
        """The conversations with the latest activity first, and when that was."""
        rows = await self.connection.run(
            lambda c: c.zrange(self.keys.conversations, 0, limit - 1, desc=True, withscores=True)
        )
        return [(name, datetime.fromtimestamp(score, UTC)) for name, score in rows]

    # Turns

    async def turn(self, turn_id: str) -> dict[str, Any] | None:
        """A logged turn by its id, None if it is unknown or no longer kept."""
        name = self.keys.turn(turn_id)
        entry = await self.connection.run(lambda c: c.get(name))
        if entry is None:
            return None
        rows = await self.connection.run(lambda c: c.xrange(self.keys.turns, entry, entry))
        return _turn(rows[0]) if rows else None

    async def turns(
        self, *, limit: int = 100, after: str | None = None, newest: bool = True
    ) -> list[dict[str, Any]]:
        """Logged turns, newest first, or oldest first with `newest=False`.

        `after` is the `position` of the last turn seen, in the direction of reading; each
        record carries its own.
        """
        bound = "" if after is None else f"({after}"
        if newest:
            rows = await self.connection.run(
                lambda c: c.xrevrange(self.keys.turns, max=bound or "+", count=limit)
            )
        else:
            rows = await self.connection.run(
                lambda c: c.xrange(self.keys.turns, min=bound or "-", count=limit)
            )
        return [_turn(row) for row in rows]

    async def turn_count(self) -> int:
        """How many turns the log holds."""
        return int(await self.connection.run(lambda c: c.xlen(self.keys.turns)))

    # Corrections

    async def add_correction(self, correction: Correction) -> bool:
        """Store a new correction durably; False if its id was stored before."""
        return await self._corrections.put(correction, expected=None)

    async def set_correction_state(self, changed: Correction, *, expected_revision: int) -> bool:
        """Store a changed correction over that revision; False if that was done before.

        Raises:
            ConflictError: somebody else has changed it since, or it is unknown.
        """
        return await self._corrections.put(changed, expected=expected_revision)

    async def correction(self, correction_id: str) -> Correction | None:
        """A correction by its id, None if there is none."""
        return await self._corrections.get(correction_id)

    async def corrections(
        self,
        state: State | None = None,
        *,
        offset: int = 0,
        limit: int | None = None,
        newest: bool = False,
    ) -> list[Correction]:
        """The corrections in a state (None: in any), oldest first unless `newest`."""
        return await self._corrections.many(state, offset=offset, limit=limit, newest=newest)

    async def correction_counts(self) -> dict[str, int]:
        """How many corrections are pending, accepted and rejected."""
        return await self._corrections.count()

    async def corrections_position(self) -> str:
        """Where `follow_corrections` has to start to miss nothing that comes after now."""
        return await self._corrections.position()

    async def correction_changes(self, after: str = START) -> list[CorrectionChange]:
        """The changes after a position that are there already; does not wait."""
        return await self._corrections.changes(after)

    async def follow_corrections(self, after: str = START) -> AsyncIterator[CorrectionChange]:
        """Every change after a position, for ever; while Redis is away it waits and goes on."""
        while True:
            try:
                changes = await self._corrections.changes(after, block_ms=BLOCK_MS)
            except StoreAwayError as error:
                _log.warning("following corrections waits: %s", error)
                await asyncio.sleep(RETRY_S)
                continue
            for change in changes:
                after = change.position
                yield change

    # Models, counters, marks

    async def announce(self, event: Mapping[str, Any]) -> str:
        """Tell every process about a model (`{"model": id, "action": "promoted"}`)."""
        entry = await self.connection.run(
            lambda c: c.xadd(
                self.keys.models,
                {"data": encode({"event": dict(event)})},
                maxlen=self.lifetimes.models_length,
            )
        )
        return str(entry)

    async def announcements(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The latest announcements, newest first."""
        rows = await self.connection.run(lambda c: c.xrevrange(self.keys.models, count=limit))
        return [_announcement(row) for row in rows]

    async def follow_models(self, after: str = "$") -> AsyncIterator[dict[str, Any]]:
        """Every announcement after a position (`$`: from now on), for ever."""
        position = after
        while True:
            try:
                if position == "$":
                    last = await self.announcements(limit=1)
                    position = last[0]["position"] if last else START
                answer = await self.connection.run(
                    lambda c: c.xread({self.keys.models: position}, block=BLOCK_MS)  # noqa: B023
                )
            except StoreAwayError as error:
                _log.warning("following models waits: %s", error)
                await asyncio.sleep(RETRY_S)
                continue
            for row in answer[0][1] if answer else []:
                position = row[0]
                yield _announcement(row)

    async def count(self, name: str, by: int = 1) -> None:
        """Add to one of today's (UTC) counters."""
        key = self.keys.counters(now().date().isoformat())
        await self.connection.run(lambda c: c.hincrby(key, name, by))
        await self.connection.run(lambda c: c.expire(key, self.lifetimes.counters_s))

    async def counters(self, day: date | None = None) -> dict[str, int]:
        """The counters of a UTC day, today unless given."""
        key = self.keys.counters((day or now().date()).isoformat())
        found = await self.connection.run(lambda c: c.hgetall(key))
        return {name: int(value) for name, value in found.items()}

    async def once(self, name: str) -> bool:
        """True the first time a name is given (within `mark_s`), False ever after."""
        key = self.keys.mark(name)
        done = await self.connection.run(
            lambda c: c.set(key, "1", nx=True, ex=self.lifetimes.mark_s)
        )
        return bool(done)

    async def forget(self, conversation_id: str) -> Forgotten:
        """Delete all that is stored about a conversation and rewrite the append-only file."""
        return await forget_conversation(
            self.connection, self.keys, self.lifetimes, conversation_id
        )

    async def trim(self) -> None:
        """Drop turns older than their lifetime; the length is bounded by every write."""
        if self.lifetimes.turns_s:
            oldest = int((now().timestamp() - self.lifetimes.turns_s) * 1000)
            await self.connection.run(lambda c: c.xtrim(self.keys.turns, minid=oldest))

    async def _claim_schema(self) -> None:
        answer = await self.connection.run(
            lambda c: c.eval(CLAIM_SCHEMA, 1, self.keys.schema, SCHEMA)
        )
        if answer[0] != DONE:
            raise StoreError(
                f"the store at {self.connection.shown} has schema {answer[1]}, this version knows "
                f"up to {SCHEMA}: update intent-agent, or use another store.url"
            )


def days(number: float) -> int:
    """Days in seconds, rounded up; 0 (for ever) stays 0.

    >>> days(0.5)
    43200
    """
    return -int(-number * DAY_S // 1)


def _turn(row: Sequence[Any]) -> dict[str, Any]:
    position, fields = row
    record: dict[str, Any] = decode(fields["data"], f"turn {fields['turn']}")["turn"]
    return {**record, "position": position}


def _announcement(row: Sequence[Any]) -> dict[str, Any]:
    position, fields = row
    return {**decode(fields["data"], "an announcement")["event"], "position": position}


def _storable(conversation_id: str) -> str:
    """The id as Redis can hold it: lone surrogates, which have no UTF-8, are escaped."""
    return conversation_id.encode("utf-8", "backslashreplace").decode("utf-8")


def _lock_lost(conversation_id: str) -> LockLostError:
    return LockLostError(
        f"conversation {conversation_id[:80]!r} was taken by another process; this turn was not "
        "stored: send the message again"
    )
