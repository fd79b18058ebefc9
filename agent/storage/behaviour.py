"""What people did with items, in Redis: a profile a person, bounded, each event once."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from agent.recommend.events import Event
from agent.storage.codec import decode, encode, storable
from agent.storage.connection import Connection
from agent.storage.keys import Keys

KEPT = 1000  # events of a person; the oldest go first


class Behaviour:
    """Profiles of a project's users.

    An event is a member of its user's sorted set, scored by its time: given again, it is there.
    """

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection, self._keys = connection, keys

    async def add(self, events: Iterable[Event]) -> int:
        """Keep events; how many were new."""
        by_user = groupby(sorted(events, key=lambda e: e.user), key=lambda e: e.user)
        return sum([await self._add(user, list(group)) for user, group in by_user])

    async def _add(self, user: str, events: Sequence[Event]) -> int:
        name, users = self._keys.profile(storable(user)), self._keys.profiles
        members = {_member(event): event.at.timestamp() for event in events}
        latest = max(members.values())

        async def write(client: object) -> int:
            pipe = client.pipeline(transaction=True)  # type: ignore[attr-defined]
            pipe.zadd(name, members)
            pipe.zremrangebyrank(name, 0, -KEPT - 1)
            pipe.zadd(users, {storable(user): latest}, gt=True)
            return int((await pipe.execute())[0])

        return await self._connection.run(write)

    async def of(self, user: str) -> list[Event]:
        """What a person did, the latest first; nothing of an unknown one."""
        name = self._keys.profile(storable(user))
        rows = await self._connection.run(lambda c: c.zrange(name, 0, -1, desc=True))
        return [_event(user, row) for row in rows]

    async def everyone(self) -> AsyncIterator[list[Event]]:
        """The profiles of all people, one after the other."""
        users = await self._connection.run(lambda c: c.zrange(self._keys.profiles, 0, -1))
        for user in users:
            yield await self.of(user)

    async def forget(self, user: str) -> int:
        """Delete what is known of a person; how many events."""
        name, users = self._keys.profile(storable(user)), self._keys.profiles
        count = int(await self._connection.run(lambda c: c.zcard(name)))
        await self._connection.run(lambda c: c.delete(name))
        await self._connection.run(lambda c: c.zrem(users, storable(user)))
        return count


def _member(event: Event) -> str:
    return encode(
        {
            "item": event.item,
            "kind": event.kind,
            "value": event.value,
            "at": event.at.timestamp(),
        }
    )


def _event(user: str, member: str) -> Event:
    data = decode(member, "an event")
    at = datetime.fromtimestamp(data["at"], UTC)
    return Event(user, data["item"], data["kind"], at, data["value"])
