"""The review queue in Redis: items, leases, verdicts, and what was taken in from the streams."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import ResponseError

from agent.feedback.correction import STATES, Correction
from agent.feedback.correction_json import to_dict
from agent.feedback.queue_item import Held, QueueItem, from_json, to_json, words_of
from agent.storage.codec import encode, storable
from agent.storage.connection import Connection
from agent.storage.corrections import ConflictError
from agent.storage.keys import DAY_S, Keys, Lifetimes
from agent.storage.review_scripts import CLAIM_ITEM, FIND, HELD, JUDGE, RELEASE_ITEM, TAKE_IN
from agent.storage.scripts import BEFORE, CONFLICT, DONE
from agent.turn import now
from knowledge.errors import InputError

GROUP = "review-queue"
MOST_TRIES = 3
IDLE_MS = 60_000
_PART = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of one of the streams that the queue is made from."""

    stream: str
    position: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one entry does to the queue, written in one step with the mark that it was done.

    `items` stand with the revision that they replace; `latest` is what the conversation's
    next turn is compared with; `waits_since` is a time in seconds, `-` ends the waiting.
    """

    items: Sequence[QueueItem] = ()
    conversation_id: str = ""
    latest: str = ""
    waits_since: str = ""
    signals: Sequence[str] = ()


class QueueShelf:
    """Reads and writes the review queue; an effect and its mark are one step."""

    def __init__(self, connection: Connection, keys: Keys, lifetimes: Lifetimes) -> None:
        self._connection, self._keys, self._lifetimes = connection, keys, lifetimes

    # What comes in

    async def entries(self, consumer: str, *, count: int = 100) -> list[Entry]:
        """New entries of the turn log and the correction log, and those that others gave up."""
        found: list[Entry] = []
        for stream in (self._keys.turns, self._keys.correction_log):
            found += await self._entries(stream, consumer, count)
        return found

    async def _entries(self, stream: str, consumer: str, count: int) -> list[Entry]:
        async def read(client: Any) -> list[Any]:
            left = await client.xautoclaim(stream, GROUP, consumer, IDLE_MS, count=count)
            rows = [row for row in left[1] if row[1]]
            new = await client.xreadgroup(GROUP, consumer, {stream: ">"}, count=count)
            return rows + (new[0][1] if new else [])

        try:
            rows = await self._connection.run(lambda c: _refusals_named(read, c))
        except _NoGroupError:
            await self._connection.run(lambda c: _make_group(c, stream))
            rows = await self._connection.run(read)
        return [Entry(stream, position, fields) for position, fields in rows]

    async def tries(self, entry: Entry) -> int:
        """How often an entry was handed out."""
        rows = await self._connection.run(
            lambda c: c.xpending_range(entry.stream, GROUP, entry.position, entry.position, 1)
        )
        return int(rows[0]["times_delivered"]) if rows else 0

    async def bury(self, entry: Entry, reason: str) -> None:
        """Put an entry that cannot be worked on aside; ids and the reason are kept."""
        fields = {k: v for k, v in entry.fields.items() if k != "data"}

        async def move(client: Any) -> None:
            pipeline = client.pipeline(transaction=True)
            pipeline.xadd(
                self._keys.dead,
                {**fields, "position": entry.position, "reason": storable(reason)[:500]},
                maxlen=self._lifetimes.dead_length,
            )
            pipeline.xack(entry.stream, GROUP, entry.position)
            await pipeline.execute()

        await self._connection.run(move)

    async def buried(self, limit: int = 100) -> list[dict[str, str]]:
        """The latest entries that were put aside, newest first."""
        rows = await self._connection.run(lambda c: c.xrevrange(self._keys.dead, count=limit))
        return [dict(fields) for _, fields in rows]

    async def take_in(self, entry: Entry | None, effect: Effect) -> bool:
        """Write an entry's effect with its mark; False if that was done before.

        Raises:
            ConflictError: an item has another revision by now; read it and try again.
        """
        names, values = self._take_in_arguments(entry, effect)
        done, _ = await self._connection.run(lambda c: c.eval(TAKE_IN, len(names), *names, *values))
        if done == CONFLICT:
            raise ConflictError("an item of the queue was changed by somebody else")
        return bool(done == DONE and done != BEFORE)

    def _take_in_arguments(
        self, entry: Entry | None, effect: Effect
    ) -> tuple[list[str], list[Any]]:
        keys, lifetimes, conversation = self._keys, self._lifetimes, effect.conversation_id
        names = [
            entry.stream if entry else keys.turns,
            keys.queue,
            keys.reviewed,
            keys.signals,
            keys.latest_turn(conversation),
            keys.waiting,
            keys.conversation_items(conversation),
            *(keys.queue_item(item.id) for item in effect.items),
            keys.disputed,
        ]
        values: list[Any] = [
            GROUP if entry else "",
            entry.position if entry else "",
            now().timestamp(),
            lifetimes.queue_s,
            effect.latest,
            DAY_S,
            effect.waits_since,
            storable(conversation),
            lifetimes.turns_length or 1_000_000,
            len(effect.items),
        ]
        for item in effect.items:
            values += [item.id, item.revision, item.revision + 1, to_json(item)]
            values += [storable(words_of(item)), item.state, item.score]
        return names, [*values, *effect.signals]

    async def latest(self, conversation_id: str) -> str | None:
        """What is kept of a conversation's latest turn."""
        name = self._keys.latest_turn(conversation_id)
        found: str | None = await self._connection.run(lambda c: c.get(name))
        return found

    async def silent_since(self, moment: float) -> list[str]:
        """Conversations whose last answer failed before a time (s) and that said no more."""
        found: list[str] = await self._connection.run(
            lambda c: c.zrangebyscore(self._keys.waiting, "-inf", moment, start=0, num=100)
        )
        return found

    # What waits

    async def get(self, item_id: str) -> QueueItem | None:
        """One item, None if there is none."""
        return (await self.many([item_id]))[0]

    async def many(self, ids: Sequence[str]) -> list[QueueItem | None]:
        """The items of these ids in their order, with who holds them.

        Read in parts: a long list must not keep everybody else in the process waiting.
        """
        found: list[QueueItem | None] = []
        for begin in range(0, len(ids), _PART):
            found += await self._part(ids[begin : begin + _PART])
        return found

    async def _part(self, ids: Sequence[str]) -> list[QueueItem | None]:
        async def read(client: Any) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for one in ids:
                pipeline.hmget(self._keys.queue_item(one), "data", "revision")
                pipeline.get(self._keys.queue_lease(one))
                pipeline.pttl(self._keys.queue_lease(one))
            return list(await pipeline.execute())

        rows = await self._connection.run(read)
        return [_item(rows[i], rows[i + 1], rows[i + 2]) for i in range(0, len(rows), 3)]

    async def ids(
        self, *, done: bool = False, offset: int = 0, count: int | None = None
    ) -> list[str]:
        """Ids of the waiting items, best first, or of the done ones, latest first."""
        name = self._keys.reviewed if done else self._keys.queue
        stop = -1 if count is None else offset + count - 1
        found: list[str] = await self._connection.run(
            lambda c: c.zrange(name, offset, stop, desc=True)
        )
        return found

    async def counts(self) -> dict[str, int]:
        """How many items are `open`, of these `disputed` and `held`, and how many `done`."""
        moment = now().timestamp()

        async def read(client: Any) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            pipeline.zcard(self._keys.queue)
            pipeline.scard(self._keys.disputed)
            pipeline.zcount(self._keys.held, moment, "+inf")
            pipeline.zcard(self._keys.reviewed)
            return list(await pipeline.execute())

        names = ("open", "disputed", "held", "done")
        return dict(zip(names, map(int, await self._connection.run(read)), strict=True))

    async def find(self, words: Sequence[str], *, done: bool = False, count: int) -> list[str]:
        """Ids of waiting (or done) items whose `words_of` hold every one of these, in order."""
        name = self._keys.reviewed if done else self._keys.queue
        values = [self._keys.queue_item("-")[:-1], count, *map(storable, words)]
        found: list[str] = await self._connection.run(lambda c: c.eval(FIND, 1, name, *values))
        return found

    async def worst(self, excess: int) -> list[str]:
        """Ids of the waiting items that are worth the least, worst first."""
        found: list[str] = await self._connection.run(
            lambda c: c.zrange(self._keys.queue, 0, excess - 1)
        )
        return found

    async def drop(self, ids: Sequence[str]) -> None:
        """Take items off the queue for good."""

        async def delete(client: Any) -> None:
            pipeline = client.pipeline(transaction=True)
            for one in ids:
                pipeline.zrem(self._keys.queue, one)
                pipeline.zrem(self._keys.reviewed, one)
                pipeline.srem(self._keys.disputed, one)
                pipeline.zrem(self._keys.held, one)
                pipeline.delete(self._keys.queue_item(one), self._keys.queue_lease(one))
            await pipeline.execute()

        if ids:
            await self._connection.run(delete)

    # What reviewers do

    async def claim(self, item_id: str, reviewer: str, lease_s: float) -> None:
        """Hold an item, or hold it longer.

        Raises:
            ConflictError: another reviewer holds it.
            InputError: there is no such item.
        """
        names = [
            self._keys.queue_lease(item_id),
            self._keys.queue_item(item_id),
            self._keys.reviewers,
            self._keys.held,
        ]
        values = [storable(reviewer), int(lease_s * 1000), now().timestamp(), item_id]
        answer = await self._connection.run(lambda c: c.eval(CLAIM_ITEM, 4, *names, *values))
        _refused(answer, item_id)

    async def release(self, item_id: str, reviewer: str) -> None:
        """Hold an item no longer.

        Raises:
            ConflictError: another reviewer holds it.
        """
        names = [self._keys.queue_lease(item_id), self._keys.held]
        answer = await self._connection.run(
            lambda c: c.eval(RELEASE_ITEM, 2, *names, storable(reviewer), item_id)
        )
        _refused(answer, item_id)

    async def judge(
        self,
        item: QueueItem,
        reviewer: str,
        action: str,
        changes: Sequence[tuple[Correction, int | None]],
    ) -> None:
        """Write an item over its revision, with corrections (each over a revision, None = new).

        Raises:
            ConflictError: the item or a correction was changed since, or somebody else holds it.
        """
        names, values = self._judge_arguments(item, reviewer, action, changes)
        answer = await self._connection.run(lambda c: c.eval(JUDGE, len(names), *names, *values))
        _refused(answer, item.id)

    def _judge_arguments(
        self,
        item: QueueItem,
        reviewer: str,
        action: str,
        changes: Sequence[tuple[Correction, int | None]],
    ) -> tuple[list[str], list[Any]]:
        keys, lifetimes = self._keys, self._lifetimes
        names = [
            keys.queue_item(item.id),
            keys.queue,
            keys.reviewed,
            keys.queue_lease(item.id),
            keys.review_log,
            keys.reviewers,
            keys.correction_log,
            keys.counters(now().date().isoformat()),
            *(keys.corrections(state) for state in STATES),
        ]
        values: list[Any] = [storable(reviewer), item.id, item.revision, item.revision + 1]
        values += [to_json(item), item.state, item.score, now().timestamp(), lifetimes.queue_s]
        values += [lifetimes.review_log_length, action, lifetimes.correction_log_length]
        values += [lifetimes.counters_s, *STATES, len(changes)]
        for changed, expected in changes:
            conversation = changed.conversation_id or ""
            names += [
                keys.correction(changed.id),
                keys.conversation_corrections(conversation),
                keys.forgotten(conversation),
            ]
            values += [changed.id, changed.state, "" if expected is None else expected]
            values += [changed.revision, encode(to_dict(changed)), changed.created_at.timestamp()]
            values += [storable(conversation)]
        return [*names, keys.held, keys.disputed], [*values, storable(words_of(item))]

    async def log(self, limit: int) -> list[dict[str, str]]:
        """What reviewers did, latest first: `by`, `item`, `action`, `at` (s)."""
        rows = await self._connection.run(lambda c: c.xrevrange(self._keys.review_log, count=limit))
        return [dict(fields) for _, fields in rows]

    async def reviewers_since(self, moment: float) -> list[str]:
        """Reviewers who were there since a time (s)."""
        found: list[str] = await self._connection.run(
            lambda c: c.zrangebyscore(self._keys.reviewers, moment, "+inf")
        )
        return found


class _NoGroupError(Exception):
    """The stream has no consumer group yet."""


async def _refusals_named(read: Any, client: Any) -> Any:
    """The read, its "no such group" told apart from other refusals."""
    try:
        return await read(client)
    except ResponseError as error:
        if "NOGROUP" in str(error):
            raise _NoGroupError from error
        raise


async def _make_group(client: Any, stream: str) -> None:
    try:
        await client.xgroup_create(stream, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):  # another process was quicker
            raise


def _item(stored: Any, holder: str | None, left_ms: int) -> QueueItem | None:
    if stored[0] is None:
        return None
    item = from_json(stored[0], int(stored[1]))
    if holder is None:
        return item
    until = datetime.fromtimestamp(now().timestamp() + max(left_ms, 0) / 1000, UTC)
    return replace(item, held=Held(holder, until))


def _refused(answer: Sequence[Any], item_id: str) -> None:
    code, detail = answer
    if code == DONE:
        return
    if code == HELD:
        raise ConflictError(f"{detail} is looking at this item: take another one")
    if code == CONFLICT:
        raise ConflictError("this item was changed by somebody else: look at it again")
    raise InputError(f"there is no item {item_id[:80]!r} in the review queue")
