"""A Redis stream read by a consumer group: what was delivered and not done comes again."""

from collections.abc import Mapping, Sequence

from redis.exceptions import ResponseError

from agent.storage.connection import Connection

Entry = tuple[str, Mapping[str, str]]
# A reader that kept entries this long without finishing them is taken for dead.
_ABANDONED_MS = 60_000


class StreamGroup:
    """One consumer of a group; several processes may share the group's work.

    Args:
        connection: to the Redis that holds the stream.
        stream: its key.
        group: the group's name.
        consumer: this reader's name.
    """

    def __init__(self, connection: Connection, stream: str, group: str, consumer: str) -> None:
        self._connection, self._stream = connection, stream
        self._group, self._consumer = group, consumer
        self._own = "0"

    async def join(self) -> None:
        """Make the group where it is missing; it begins with the stream's first entry."""

        async def create(client: object) -> None:
            try:
                await client.xgroup_create(self._stream, self._group, id="0", mkstream=True)  # type: ignore[attr-defined]
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

        await self._connection.run(create)

    async def read(self, count: int, *, block_ms: int) -> list[Entry]:
        """The next entries: first those left over, then abandoned ones, then new ones."""
        if self._own is not None and (left := await self._read(count, self._own, None)):
            self._own = left[-1][0]
            return left
        self._own = ">"
        claimed = await self._connection.run(
            lambda c: c.xautoclaim(
                self._stream, self._group, self._consumer, _ABANDONED_MS, count=count
            )
        )
        if claimed[1]:
            return [(str(at), data or {}) for at, data in claimed[1]]
        return await self._read(count, ">", block_ms)

    def again(self) -> None:
        """Begin anew with what was delivered and is not finished: the last answers may be lost."""
        self._own = "0"

    async def done(self, entries: Sequence[str]) -> None:
        """Say that entries are finished with."""
        if entries:
            await self._connection.run(lambda c: c.xack(self._stream, self._group, *entries))

    async def _read(self, count: int, start: str, block_ms: int | None) -> list[Entry]:
        answer = await self._connection.run(
            lambda c: c.xreadgroup(
                self._group, self._consumer, {self._stream: start}, count=count, block=block_ms
            )
        )
        rows = answer[0][1] if answer else []
        return [(str(at), data or {}) for at, data in rows]
