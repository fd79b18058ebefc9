"""Store: what must last. Conversations, the turn log, corrections and announcements in Redis."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from agent.errors import StoreError
from agent.feedback.correction import Correction, State
from agent.storage.announcements import Announcements
from agent.storage.codec import storable
from agent.storage.connection import Connection, StoreAwayError
from agent.storage.corrections import CorrectionChange, CorrectionShelf
from agent.storage.forget import Forgotten, forget_conversation
from agent.storage.keys import DAY_S, SCHEMA, Keys, Lifetimes
from agent.storage.learning import LearningShelf
from agent.storage.lock import ConversationLocks, Lease
from agent.storage.reminders import ReminderShelf
from agent.storage.replay import write_entry
from agent.storage.review import QueueShelf
from agent.storage.scripts import CLAIM_SCHEMA, DONE
from agent.storage.spool import Spool
from agent.storage.turns import TurnLog
from agent.turn import now

PREFIX = "intent-agent"
_log = logging.getLogger(__name__)


class Store:
    """One project's store. Open it with `Store.open`, close it with `close` or `async with`.

    Every method raises StoreAwayError within a few seconds when Redis does not answer and
    StoreError when it refuses. What waits in the spool is written before anything that could
    depend on it. Conversation ids may be any text.
    """

    def __init__(
        self, connection: Connection, keys: Keys, lifetimes: Lifetimes, spool: Spool | None = None
    ) -> None:
        self.connection, self.keys, self.lifetimes = connection, keys, lifetimes
        self.spool = spool
        self._locks = ConversationLocks(connection, keys, lifetimes)
        self._turns = TurnLog(connection, keys, lifetimes)
        self._corrections = CorrectionShelf(connection, keys, lifetimes)
        self._announcements = Announcements(connection, keys, lifetimes)
        self.reminders = ReminderShelf(connection, keys)
        self.queue = QueueShelf(connection, keys, lifetimes)
        self.learning = LearningShelf(connection, keys, lifetimes)

    @classmethod
    async def open(
        cls,
        url: str,
        project_root: Path | None = None,
        *,
        spool: Spool | None = None,
        require: bool = True,
        project_id: str | None = None,
        prefix: str = PREFIX,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 - frozen
    ) -> "Store":
        """Connect, starting the embedded server if the URL is `embedded:`.

        Args:
            url: redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or embedded:.
            project_root: the project's folder, where the embedded server lives.
            spool: what it holds is written when Redis is reached.
            require: raise when Redis is away; else it is tried again with each command.
            project_id: separates projects on one Redis; unless given, the one project that an
                embedded server holds (its folder may have been renamed), else the folder's name.
            prefix: what every key starts with.
            lifetimes: how long things are kept.

        Raises:
            StoreError: it cannot be reached, or a newer version has written in it.
        """
        connection = await Connection.open(url, project_root)
        project = project_id or await _only_project(connection, prefix)
        if project is None:
            project = project_root.resolve().name if project_root else "default"
        keys = Keys(prefix, re.sub(r"[{}]", "_", project))
        store = cls(connection, keys, lifetimes, spool)
        connection.greet = store._claim_schema
        try:
            await store._begin(require)
        except BaseException:
            await connection.close()
            raise
        return store

    async def _begin(self, require: bool) -> None:
        """Reach Redis and tidy up; a Redis that is away matters only if it is required."""
        try:
            await self.ping()
            await self.trim()
        except StoreAwayError:
            if require:
                raise

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

    async def drain(self) -> int:
        """Write what waits in the spool, in order; how many entries. Cheap when it is empty.

        Raises:
            StoreAwayError: Redis is away; what was not written stays in the spool.
        """
        if self.spool is None or not self.spool.size():
            return 0
        written = await self.spool.drain(
            lambda entry: write_entry(entry, self._turns, self._corrections)
        )
        if written:
            _log.info("%d spooled entries were written to Redis", written)
        return written

    async def keep_draining(self, period_s: float = 5.0) -> None:
        """Drain the spool and drop old turns again and again, for ever: a task of a server."""
        while True:
            try:
                await self.drain()
                await self.trim()
            except StoreError as error:
                _log.warning("the spool waits: %s", error)
            await asyncio.sleep(period_s)

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
        await self.drain()
        return await self._turns.load(conversation_id)

    async def commit_turn(
        self,
        turn_record: Mapping[str, Any],
        conversation_id: str,
        new_events: Sequence[Mapping[str, Any]],
        *,
        fence: int | None = None,
        counters: Mapping[str, int] | None = None,
        at: datetime | None = None,
        release: str = "",
    ) -> bool:
        """Log a turn, append its events and count it, in one durable step.

        Args:
            turn_record: the turn as JSON values; `id` names it and makes the step idempotent.
            conversation_id: whose turn it is.
            new_events: what happened in it, appended to the conversation.
            fence: the lease's; the write is refused once another process holds the lock.
            counters: what to add to the day's counters (`turns` is counted anyway).
            at: when it happened (replayed turns); now unless given.
            release: the token of a lease that is given back in the same step.

        Returns:
            False if this turn was logged before, or its conversation was forgotten since.

        Raises:
            LockLostError: the fence is an old one; nothing was written.
        """
        await self.drain()
        return await self._turns.commit(
            turn_record,
            conversation_id,
            new_events,
            fence=fence,
            counters=counters,
            at=at,
            release=release,
        )

    async def append_events(
        self,
        conversation_id: str,
        events: Sequence[Mapping[str, Any]],
        *,
        fence: int | None = None,
        replace: bool = False,
    ) -> None:
        """Append events outside a turn, or (`replace`) put them in the place of all.

        Raises:
            LockLostError: the fence is an old one; nothing was written.
        """
        await self.drain()
        await self._turns.append(conversation_id, events, fence=fence, replace=replace)

    async def conversations(self, *, limit: int = 100) -> list[tuple[str, datetime]]:
        """The conversations with the latest activity first, and when that was."""
        return await self._turns.conversations(limit)

    async def turn(self, turn_id: str) -> dict[str, Any] | None:
        """A logged turn by its id, None if it is unknown or no longer kept."""
        await self.drain()
        return await self._turns.get(turn_id)

    async def turns_of(self, conversation_id: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """The latest logged turns of a conversation, oldest first; none for an unknown one."""
        await self.drain()
        return await self._turns.of_conversation(conversation_id, limit)

    async def turns(
        self, *, limit: int = 100, after: str | None = None, newest: bool = True
    ) -> list[dict[str, Any]]:
        """Logged turns, newest first, or oldest first with `newest=False`.

        `after` is the `position` of the last turn seen, in the direction of reading; each
        record carries its own.
        """
        return await self._turns.many(limit, after, newest)

    def scan_turns(
        self, *, limit: int, holding: Sequence[str] = ()
    ) -> AsyncIterator[dict[str, Any]]:
        """The latest turns, newest first, whose records may hold all of some words."""
        return self._turns.scan(limit, holding)

    async def turn_count(self) -> int:
        """How many turns the log holds."""
        return await self._turns.length()

    async def trim(self) -> None:
        """Drop turns older than their lifetime."""
        await self._turns.trim()

    # Corrections

    async def add_correction(self, correction: Correction) -> bool:
        """Store a new correction durably; False if its id was stored before."""
        await self.drain()
        return await self._corrections.put(correction, expected=None)

    async def set_correction_state(self, changed: Correction, *, expected_revision: int) -> bool:
        """Store a changed correction over that revision; False if that was done before.

        Raises:
            ConflictError: somebody else has changed it since, or it is unknown.
        """
        await self.drain()
        return await self._corrections.put(changed, expected=expected_revision)

    async def correction(self, correction_id: str) -> Correction | None:
        """A correction by its id, None if there is none."""
        await self.drain()
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
        await self.drain()
        return await self._corrections.many(state, offset=offset, limit=limit, newest=newest)

    async def corrections_of(self, ids: Sequence[str]) -> list[Correction]:
        """The corrections of these ids that there are, in their order."""
        return await self._corrections.of(ids)

    async def correction_counts(self) -> dict[str, int]:
        """How many corrections are pending, accepted and rejected."""
        return await self._corrections.count()

    async def corrections_position(self) -> str:
        """Where `correction_changes` has to start to miss nothing that comes after now."""
        return await self._corrections.position()

    async def correction_changes(self, after: str, *, limit: int = 100) -> list[CorrectionChange]:
        """The changes after a position, at most `limit`, without waiting."""
        return await self._corrections.changes(after, count=limit)

    # Models, counters, marks

    async def announce(self, event: Mapping[str, Any]) -> str:
        """Tell every process about a model (`{"model": id, "action": "promoted"}`)."""
        return await self._announcements.add(event)

    async def announcements(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The latest announcements, newest first."""
        return await self._announcements.latest(limit)

    async def count(self, name: str, by: int = 1) -> None:
        """Add to one of today's (UTC) counters."""
        key = self.keys.counters(now().date().isoformat())
        await self.connection.run(lambda c: c.hincrby(key, storable(name), by))
        await self.connection.run(lambda c: c.expire(key, self.lifetimes.counters_s))

    async def charge(self, giver: str, correction_id: str) -> int:
        """Count a piece of feedback of today, each id once; how many this giver has given."""
        name = self.keys.quota(giver, now().date().isoformat())

        async def add(client: Any) -> int:
            pipeline = client.pipeline(transaction=True)
            pipeline.sadd(name, correction_id)
            pipeline.scard(name)
            pipeline.expire(name, 2 * DAY_S)
            return int((await pipeline.execute())[1])

        return await self.connection.run(add)

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
        """Delete all that is stored about a conversation, the spool and the AOF included."""
        spooled = 0
        if self.spool is not None:
            spooled = await asyncio.to_thread(self.spool.forget, conversation_id)
        return await forget_conversation(
            self.connection, self.keys, self.lifetimes, conversation_id, spooled
        )

    async def _claim_schema(self) -> None:
        """Before anything else: refuse a store that a newer version has written in."""
        answer = await self.connection.client.eval(CLAIM_SCHEMA, 1, self.keys.schema, SCHEMA)
        if answer[0] != DONE:
            raise StoreError(
                f"the store at {self.connection.shown} has schema {answer[1]}, this version knows "
                f"up to {SCHEMA}: update intent-agent, or use another store.url"
            )


async def _only_project(connection: Connection, prefix: str) -> str | None:
    """The project whose keys an embedded server holds, None if it holds none."""
    if connection.server is None:
        return None
    start = f"{prefix}:schema:{{"
    found = [key async for key in connection.client.scan_iter(match=f"{start}*", count=1000)]
    return str(found[0][len(start) : -1]) if len(found) == 1 else None
