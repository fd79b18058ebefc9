"""What every process hears about models."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.storage.codec import decode, encode
from agent.storage.connection import Connection
from agent.storage.keys import Keys, Lifetimes


class Announcements:
    """A stream of events such as `{"model": id, "action": "promoted"}`."""

    def __init__(self, connection: Connection, keys: Keys, lifetimes: Lifetimes) -> None:
        self._connection, self._name = connection, keys.models
        self._length = lifetimes.models_length

    async def add(self, event: Mapping[str, Any]) -> str:
        """Announce something; its position."""
        fields = {"data": encode({"event": dict(event)})}
        entry = await self._connection.run(
            lambda c: c.xadd(self._name, fields, maxlen=self._length)
        )
        return str(entry)

    async def latest(self, limit: int) -> list[dict[str, Any]]:
        """The latest announcements, newest first."""
        rows = await self._connection.run(lambda c: c.xrevrange(self._name, count=limit))
        return [_announcement(row) for row in rows]


def _announcement(row: Sequence[Any]) -> dict[str, Any]:
    position, fields = row
    return {**decode(fields["data"], "an announcement")["event"], "position": position}
