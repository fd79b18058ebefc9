"""Conversations' events and the turn log in Redis."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.storage.codec import decode, encode, storable
from agent.storage.connection import Connection
from agent.storage.keys import Keys, Lifetimes
from agent.storage.lock import LockLostError
from agent.storage.scripts import ADD_EVENTS, BEFORE, COMMIT_TURN, DONE, FORGOTTEN
from agent.turn import now

_SCANNED = 200  # turns that are read at once


class TurnLog:
    """Reads and writes events and turns; a turn, its events and its counts are one step."""

    def __init__(self, connection: Connection, keys: Keys, lifetimes: Lifetimes) -> None:
        self._connection, self._keys, self._lifetimes = connection, keys, lifetimes

    async def load(self, conversation_id: str) -> list[dict[str, Any]]:
        """All stored events of a conversation in order."""
        name = self._keys.events(conversation_id)
        items = await self._connection.run(lambda c: c.lrange(name, 0, -1))
        what = f"the events of conversation {conversation_id[:80]!r}"
        return [event for item in items for event in decode(item, what)["events"]]

    async def commit(
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
        """Log a turn and append its events; False if it was logged before, or forgotten since.

        `release` is the token of the conversation's lock, which is given back in the same step.

        Raises:
            LockLostError: the fence is an old one; nothing was written.
        """
        moment = at or now()
        names = self._keys_of_turn(str(turn_record["id"]), conversation_id, moment)
        counted = {"turns": 1, **(counters or {})}
        values = [
            str(turn_record["id"]),
            storable(conversation_id),
            encode({"turn": dict(turn_record)}),
            encode({"events": list(new_events)}) if new_events else "",
            "" if fence is None else fence,
            self._lifetimes.events_s,
            self._lifetimes.turns_s,
            self._lifetimes.turns_length,
            moment.timestamp(),
            self._lifetimes.counters_s,
            release,
            *(part for name, by in counted.items() for part in (storable(name), by)),
        ]
        answer = await self._connection.script(COMMIT_TURN, names, *values)
        if answer[0] in (DONE, BEFORE, FORGOTTEN):
            return bool(answer[0] == DONE)
        raise _lock_lost(conversation_id)

    def _keys_of_turn(self, turn_id: str, conversation_id: str, moment: datetime) -> list[str]:
        """The KEYS of COMMIT_TURN."""
        keys = self._keys
        return [
            keys.turn(turn_id),
            keys.turns,
            keys.events(conversation_id),
            keys.conversation_turns(conversation_id),
            keys.fence(conversation_id),
            keys.counters(moment.astimezone(UTC).date().isoformat()),
            keys.conversations,
            keys.forgotten(conversation_id),
            keys.lock(conversation_id),
        ]

    async def append(
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
            self._keys.events(conversation_id),
            self._keys.fence(conversation_id),
            self._keys.conversations,
        ]
        values = [
            encode({"events": list(events)}) if events else "",
            "" if fence is None else fence,
            self._lifetimes.events_s,
            now().timestamp(),
            storable(conversation_id),
            "1" if replace else "0",
        ]
        answer = await self._connection.script(ADD_EVENTS, names, *values)
        if answer[0] != DONE:
            raise _lock_lost(conversation_id)

    async def conversations(self, limit: int) -> list[tuple[str, datetime]]:
        """The conversations with the latest activity first, and when that was."""
        name = self._keys.conversations
        rows = await self._connection.run(
            lambda c: c.zrange(name, 0, limit - 1, desc=True, withscores=True)
        )
        return [(one, datetime.fromtimestamp(score, UTC)) for one, score in rows]

    async def get(self, turn_id: str) -> dict[str, Any] | None:
        """A logged turn, None if it is unknown or no longer kept."""
        mark = self._keys.turn(turn_id)
        entry = await self._connection.run(lambda c: c.get(mark))
        if entry is None:
            return None
        rows = await self._connection.run(lambda c: c.xrange(self._keys.turns, entry, entry))
        return read_turn(rows[0]) if rows else None

    async def of_conversation(self, conversation_id: str, limit: int) -> list[dict[str, Any]]:
        """The latest logged turns of a conversation, oldest first."""
        name = self._keys.conversation_turns(conversation_id)
        ids = await self._connection.run(lambda c: c.lrange(name, -limit, -1))
        marks = await self._each([("get", self._keys.turn(turn_id)) for turn_id in ids])
        asked = [("xrange", self._keys.turns, mark, mark) for mark in marks if mark is not None]
        return [read_turn(rows[0]) for rows in await self._each(asked) if rows]

    async def _each(self, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        """The answers to reading commands that are sent together."""
        if not commands:
            return []

        async def read(client: Any) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for name, *values in commands:
                getattr(pipeline, name)(*values)
            return list(await pipeline.execute())

        return await self._connection.run(read)

    async def many(self, limit: int, after: str | None, newest: bool) -> list[dict[str, Any]]:
        """Turns after a position in the direction of reading."""
        name, bound = self._keys.turns, "" if after is None else f"({after}"
        if newest:
            rows = await self._connection.run(
                lambda c: c.xrevrange(name, max=bound or "+", count=limit)
            )
        else:
            rows = await self._connection.run(
                lambda c: c.xrange(name, min=bound or "-", count=limit)
            )
        return [read_turn(row) for row in rows]

    async def scan(self, limit: int, holding: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """The latest turns, newest first, that may hold every one of some words.

        Only those are decoded: a record's JSON must hold the word, whatever its case.

        Args:
            limit: how many turns are looked at.
            holding: words; none of them: every turn.
        """
        wanted = [encode({"": word})[11:-2].casefold() for word in holding]
        bound, left = "+", limit
        while left > 0:
            count = min(_SCANNED, left)
            rows = await self._connection.run(
                lambda c, bound=bound, count=count: c.xrevrange(  # type: ignore[misc]
                    self._keys.turns, max=bound, count=count
                )
            )
            for row in rows:
                data = row[1]["data"].casefold() if wanted else ""
                if all(word in data for word in wanted):
                    yield read_turn(row)
            if len(rows) < count:
                return
            bound, left = f"({rows[-1][0]}", left - len(rows)

    async def length(self) -> int:
        """How many turns the log holds."""
        return int(await self._connection.run(lambda c: c.xlen(self._keys.turns)))

    async def trim(self) -> None:
        """Drop turns older than their lifetime; each write bounds the length."""
        if self._lifetimes.turns_s:
            oldest = int((now().timestamp() - self._lifetimes.turns_s) * 1000)
            await self._connection.run(
                lambda c: c.xtrim(self._keys.turns, minid=oldest, approximate=False)
            )


def read_turn(row: Sequence[Any]) -> dict[str, Any]:
    """A turn's record of an entry of the turn log, with its `position`.

    Raises:
        StoreError: it is damaged, or written by a newer version.
    """
    position, fields = row
    record: dict[str, Any] = decode(fields["data"], f"turn {fields['turn']}")["turn"]
    return {**record, "position": position}


def _lock_lost(conversation_id: str) -> LockLostError:
    return LockLostError(
        f"conversation {conversation_id[:80]!r} was taken by another process; this turn was not "
        "stored: send the message again"
    )
