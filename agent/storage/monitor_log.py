"""What a monitor has read, counted and alarmed, in Redis: each item once, in one step."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.storage.codec import decode, encode, storable
from agent.storage.connection import Connection
from agent.storage.keys import DAY_S, Keys
from agent.storage.scripts import COMMIT_ITEMS

Counts = Mapping[str, int]
_WHOLE = ("seen", "items", "windows", "state", "alarms", "deliveries")


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item to keep: `id` is counted once; `fields` of its window's counts grow by one.

    `window` is the start of its window (seconds since 1970), `data` what the log keeps.
    """

    id: str
    window: int
    data: Mapping[str, Any]
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source was read: `name` of the source, its `position`, further `totals`."""

    name: str = ""
    position: str = ""
    totals: Mapping[str, int] = field(default_factory=dict)


class MonitorLog:
    """One monitor's items, counts per window, alarms and reading positions.

    Args:
        connection: to Redis.
        keys: the project's names.
        name: the monitor; several may watch in one project.
        kept_s: how long a seen id and a window's counts are kept, by the items' own time.
        items_kept: how many items the log keeps (about; the oldest go first).
    """

    def __init__(
        self,
        connection: Connection,
        keys: Keys,
        name: str,
        *,
        kept_s: int = 400 * DAY_S,
        items_kept: int = 100_000,
    ) -> None:
        self._connection, self._kept_s, self._items_kept = connection, kept_s, items_kept
        self._keys, self._name = keys, name

    def _key(self, what: str) -> str:
        return self._keys.monitor(self._name, what)

    async def commit(
        self, items: Sequence[ItemRecord], progress: Progress, *, at: float, newest: int = -1
    ) -> list[str]:
        """Keep items and the reading position; the ids that were not counted before.

        `at` is now in seconds; items of windows before the `newest` one are counted as late. An
        item given again, after a kill or by a second reader, changes nothing.
        """
        windows = sorted({item.window for item in items})
        names = [self._key(what) for what in ("seen", "items", "windows", "state")]
        names += [self._key(f"window:{window}") for window in windows]
        values: list[Any] = [at, at - self._kept_s, self._items_kept]
        values += [storable(progress.name), progress.position, len(progress.totals), newest]
        values += [part for name, by in progress.totals.items() for part in (name, by)]
        for item in items:
            place = windows.index(item.window)
            values += [storable(item.id), encode({"item": dict(item.data)}), item.window, place]
            values += [len(item.fields), *map(storable, item.fields)]
        answer = await self._connection.run(
            lambda c: c.eval(COMMIT_ITEMS, len(names), *names, *values)
        )
        return [str(one) for one in answer]

    async def state(self) -> dict[str, str]:
        """Totals and positions by name."""
        return dict(await self._connection.run(lambda c: c.hgetall(self._key("state"))))

    async def note(self, values: Mapping[str, str | int]) -> None:
        """Set facts of the state."""
        await self._connection.run(lambda c: c.hset(self._key("state"), mapping=dict(values)))

    async def windows(self, since: int = 0) -> list[int]:
        """The starts of the windows with items, oldest first."""
        found = await self._connection.run(
            lambda c: c.zrangebyscore(self._key("windows"), since, "+inf")
        )
        return [int(one) for one in found]

    async def counts(self, windows: Iterable[int]) -> dict[int, Counts]:
        """The counts of windows by field."""
        wanted = list(windows)

        async def read(client: Any) -> list[Any]:
            pipe = client.pipeline(transaction=False)
            for window in wanted:
                pipe.hgetall(self._key(f"window:{window}"))
            found: list[Any] = await pipe.execute()
            return found

        found = await self._connection.run(read) if wanted else []
        return {
            window: {name: int(n) for name, n in counts.items()}
            for window, counts in zip(wanted, found, strict=True)
        }

    async def items(
        self, *, limit: int = 100, after: str | None = None, newest: bool = True
    ) -> list[dict[str, Any]]:
        """Items newest first, or oldest first from a position on; each carries its `position`."""
        name, bound = self._key("items"), "" if after is None else f"({after}"
        if newest:
            rows = await self._connection.run(
                lambda c: c.xrevrange(name, max=bound or "+", count=limit)
            )
        else:
            rows = await self._connection.run(
                lambda c: c.xrange(name, min=bound or "-", count=limit)
            )
        return [{**decode(data["data"], "an item")["item"], "position": at} for at, data in rows]

    async def add_alarm(self, alarm_id: str, data: Mapping[str, Any]) -> bool:
        """Keep an alarm; False if it was raised before."""
        name, value = self._key("alarms"), encode({"alarm": dict(data)})
        return bool(await self._connection.run(lambda c: c.hsetnx(name, alarm_id, value)))

    async def set_alarm(self, alarm_id: str, data: Mapping[str, Any]) -> None:
        """Change an alarm."""
        kept = {k: v for k, v in data.items() if k != "delivery"}
        name, value = self._key("alarms"), encode({"alarm": kept})
        await self._connection.run(lambda c: c.hset(name, alarm_id, value))

    async def set_delivery(self, alarm_id: str, data: Mapping[str, Any]) -> None:
        """Keep how an alarm's delivery stands, apart from what others change of the alarm."""
        name, value = self._key("deliveries"), encode({"delivery": dict(data)})
        await self._connection.run(lambda c: c.hset(name, alarm_id, value))

    async def alarms(self) -> list[dict[str, Any]]:
        """All kept alarms, oldest first; `delivery` is there once one was tried."""
        found = await self._connection.run(lambda c: c.hgetall(self._key("alarms")))
        tried = await self._connection.run(lambda c: c.hgetall(self._key("deliveries")))
        read = []
        for key, value in found.items():
            alarm = decode(value, f"alarm {key}")["alarm"]
            if key in tried:
                alarm |= decode(tried[key], f"the delivery of alarm {key}")
            read.append(alarm)
        return sorted(read, key=lambda alarm: str(alarm["at"]))

    async def trim(self, newest: int) -> None:
        """Drop the windows that are older than their time, counted from the newest one."""
        index, oldest = self._key("windows"), newest - self._kept_s
        old = await self._connection.run(lambda c: c.zrangebyscore(index, 0, f"({oldest}"))
        if old:
            names = [self._key(f"window:{window}") for window in old]
            await self._connection.run(lambda c: c.delete(*names))
            await self._connection.run(lambda c: c.zrem(index, *old))

    async def begin(self) -> None:
        """Make the monitor known by its name, so that `agent forget` finds what it keeps."""
        await self._connection.run(lambda c: c.sadd(self._keys.monitors, self._name))

    async def forget(self, ids: Collection[str]) -> int:
        """Take items out of the log and their words out of alarms; counts stay. How many went."""
        after: str | None = None
        gone: dict[str, str] = {}
        while rows := await self.items(limit=1000, after=after, newest=False):
            after = str(rows[-1]["position"])
            gone |= {r["position"]: r["text"] for r in rows if r["id"] in ids}
        if not gone:
            return 0
        await self._connection.run(lambda c: c.xdel(self._key("items"), *gone))
        words = set(gone.values())
        for alarm in await self.alarms():
            kept = [text for text in alarm["headlines"] if text not in words]
            if kept != alarm["headlines"]:
                await self.set_alarm(alarm["id"], {**alarm, "headlines": kept})
        return len(gone)

    async def drop(self) -> None:
        """Forget all that this monitor knows."""
        names = [self._key(what) for what in _WHOLE]
        names += [self._key(f"window:{window}") for window in await self.windows()]
        await self._connection.run(lambda c: c.delete(*names))
