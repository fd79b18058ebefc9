"""When to look for due reminders, conversation by conversation."""

from datetime import datetime

from agent.storage.codec import storable
from agent.storage.connection import Connection
from agent.storage.keys import Keys


class ReminderShelf:
    """The next time at which each conversation has a reminder due."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection, self._name = connection, keys.reminders

    async def put(self, conversation_id: str, due: datetime | None) -> None:
        """Note when to look at a conversation; None: never."""
        name, member = self._name, storable(conversation_id)
        if due is None:
            await self._connection.run(lambda c: c.zrem(name, member))
        else:
            await self._connection.run(lambda c: c.zadd(name, {member: due.timestamp()}))

    async def add(self, conversation_id: str, due: datetime) -> None:
        """Note a further reminder of a conversation; an earlier time that is noted stays."""
        # Two commands and no `ZADD LT`: the embedded server may be older. At worst a look
        # comes too early, which does no harm.
        noted = await self._score(conversation_id)
        if noted is None or noted > due.timestamp():
            await self.put(conversation_id, due)

    async def due(self, at: datetime, *, limit: int = 100, only: str | None = None) -> list[str]:
        """The conversations to look at by then, at most `limit`; of `only`, if it is given."""
        name, latest = self._name, at.timestamp()
        if only is not None:
            noted = await self._score(only)
            return [only] if noted is not None and noted <= latest else []
        found = await self._connection.run(
            lambda c: c.zrangebyscore(name, "-inf", latest, start=0, num=limit)
        )
        return [str(conversation_id) for conversation_id in found]

    async def _score(self, conversation_id: str) -> float | None:
        name, member = self._name, storable(conversation_id)
        noted: float | None = await self._connection.run(lambda c: c.zscore(name, member))
        return noted
