"""Deleting what is stored about a person, down to the append-only file."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.errors import StoreError
from agent.feedback.correction import STATES
from agent.storage.codec import decode, storable
from agent.storage.connection import Connection, StoreAwayError
from agent.storage.corrections import ConflictError
from agent.storage.keys import DAY_S, Keys, Lifetimes
from agent.storage.monitor_log import MonitorLog
from agent.storage.review import Effect, QueueShelf
from agent.turn import now

REWRITE_S = 60.0
DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted. `rewritten` says whether the append-only file holds it no longer."""

    conversation_id: str
    turns: int
    events: int
    corrections: tuple[str, ...]
    rewritten: bool
    spooled: int = 0


async def forget_conversation(
    connection: Connection,
    keys: Keys,
    lifetimes: Lifetimes,
    conversation_id: str,
    spooled: int = 0,
) -> Forgotten:
    """Delete events, turns, corrections and their traces in the streams, then rewrite the file.

    A tombstone stays (a hash and a time), so that no spool on another machine brings back
    what was said before.
    """
    tombstone = keys.forgotten(conversation_id)
    stamp = now().timestamp()
    await connection.run(lambda c: c.set(tombstone, stamp, ex=lifetimes.tombstone_s))
    await _forget_monitored(connection, keys, conversation_id)
    turns = await _forget_turns(connection, keys, conversation_id)
    await _forget_waiting(connection, keys, lifetimes, conversation_id)
    corrections = await _forget_corrections(connection, keys, lifetimes, conversation_id)
    events = await _forget_events(connection, keys, conversation_id)
    rewritten = await _rewrite(connection)
    return Forgotten(conversation_id, turns, events, tuple(corrections), rewritten, spooled)


async def _forget_turns(connection: Connection, keys: Keys, conversation_id: str) -> int:
    listed = keys.conversation_turns(conversation_id)
    ids: list[str] = await connection.run(lambda c: c.lrange(listed, 0, -1))
    deleted = 0
    for turn_id in ids:
        deleted += await _forget_turn(connection, keys, turn_id)
    return deleted


async def _forget_monitored(connection: Connection, keys: Keys, conversation_id: str) -> None:
    """Take a conversation's words out of what monitors of the turn log keep."""
    listed = keys.conversation_turns(conversation_id)
    turns = {f"turn:{one}" for one in await connection.run(lambda c: c.lrange(listed, 0, -1))}
    if turns:
        for name in await connection.run(lambda c: c.smembers(keys.monitors)):
            await MonitorLog(connection, keys, name).forget(turns)


async def _forget_turn(connection: Connection, keys: Keys, turn_id: str) -> int:
    entry = await connection.run(lambda c: c.get(keys.turn(turn_id)))
    if entry is None:
        return 0
    return int(await connection.run(lambda c: c.xdel(keys.turns, entry)))


async def _forget_events(connection: Connection, keys: Keys, conversation_id: str) -> int:
    """Delete what is named after the conversation; the turn marks stay and hold no words.

    The fence is raised, so that a process which keeps the conversation reads it again.
    """
    name = keys.events(conversation_id)
    count = await connection.run(lambda c: c.llen(name))

    async def delete(client: Any) -> None:
        pipeline = client.pipeline(transaction=True)
        pipeline.delete(name)
        pipeline.delete(keys.conversation_turns(conversation_id))
        pipeline.delete(keys.conversation_corrections(conversation_id))
        pipeline.delete(keys.conversation_items(conversation_id), keys.latest_turn(conversation_id))
        pipeline.zrem(keys.waiting, storable(conversation_id))
        pipeline.zrem(keys.conversations, storable(conversation_id))
        pipeline.zrem(keys.reminders, storable(conversation_id))
        pipeline.delete(keys.profile(storable(conversation_id)))
        pipeline.zrem(keys.profiles, storable(conversation_id))
        pipeline.incr(keys.fence(conversation_id))
        pipeline.expire(keys.fence(conversation_id), DAY_S)
        await pipeline.execute()

    await connection.run(delete)
    return int(count)


async def _forget_waiting(
    connection: Connection, keys: Keys, lifetimes: Lifetimes, conversation_id: str
) -> None:
    """Take a conversation's words out of the review queue and its signals out of their stream."""
    shelf = QueueShelf(connection, keys, lifetimes)
    listed = keys.conversation_items(conversation_id)
    for item_id in await connection.run(lambda c: c.smembers(listed)):
        while True:
            item = await shelf.get(item_id)
            if item is None:
                break
            left = item.without(conversation_id)
            if left is None:
                await shelf.drop([item_id])
                break
            try:
                await shelf.take_in(None, Effect([left]))
                break
            except ConflictError:
                continue
    await _forget_signals(connection, keys, conversation_id)


async def _forget_signals(connection: Connection, keys: Keys, conversation_id: str) -> None:
    async def delete(client: Any) -> None:
        after = "-"
        while rows := await client.xrange(keys.signals, after, "+", count=1000):
            for position, fields in rows:
                signal = decode(fields["data"], "a signal")["signal"]
                if signal.get("conversation_id") == conversation_id:
                    await client.xdel(keys.signals, position)
            after = f"({rows[-1][0]}"

    await connection.run(delete)


async def _forget_corrections(
    connection: Connection, keys: Keys, lifetimes: Lifetimes, conversation_id: str
) -> Sequence[str]:
    """Delete the corrections and tell the followers, whose memories hold them."""
    listed = keys.conversation_corrections(conversation_id)
    ids: list[str] = sorted(await connection.run(lambda c: c.smembers(listed)))
    for one in ids:

        async def delete(client: Any, one: str = one) -> None:
            pipeline = client.pipeline(transaction=True)
            pipeline.delete(keys.correction(one))
            for state in STATES:
                pipeline.zrem(keys.corrections(state), one)
            pipeline.xadd(
                keys.correction_log,
                {"correction": one, "state": DELETED, "revision": "0"},
                maxlen=lifetimes.correction_log_length,
            )
            await pipeline.execute()

        await connection.run(delete)
    return ids


async def _rewrite(connection: Connection) -> bool:
    """Rewrite the append-only file and wait; False if the server does not let us, or is slow."""
    try:
        await _idle(connection)
        await connection.run(lambda c: c.bgrewriteaof(**connection.everywhere()))
        states = await _idle(connection)
    except StoreAwayError:
        raise
    except StoreError:  # managed servers often forbid it
        return False
    return all(state.get("aof_last_bgrewrite_status") == "ok" for state in states)


async def _idle(connection: Connection) -> list[dict[str, Any]]:
    """Wait until no rewrite runs or is scheduled; what each node says of its files then."""
    deadline = time.monotonic() + REWRITE_S
    while time.monotonic() < deadline:
        states = await _persistence(connection)
        running = ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
        if not any(state.get(name) for state in states for name in running):
            return states
        await asyncio.sleep(0.02)
    raise StoreError(f"Redis rewrites its append-only file for more than {REWRITE_S:.0f} s")


async def _persistence(connection: Connection) -> list[dict[str, Any]]:
    """What each node says of its files; redis-py leaves the nodes' names out if there is one."""
    found = await connection.run(lambda c: c.info("persistence", **connection.everywhere()))
    by_node = all(isinstance(value, dict) for value in found.values())
    return list(found.values()) if by_node else [found]
