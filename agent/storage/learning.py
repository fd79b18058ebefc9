"""What workers tell of their learning: who is at it, how far, what came of it; and requests."""

from collections.abc import Mapping
from typing import Any

from agent.storage.codec import decode, encode, storable
from agent.storage.connection import Connection
from agent.storage.keys import Keys, Lifetimes
from agent.storage.scripts import DONE, DROP_LOCK, RENEW_LOCK
from agent.turn import now

LEASE_S = 60.0
"""Seconds after which the lock of a worker that was killed is free again."""
BEAT_S = 5.0
"""Seconds between two signs of life."""


class LearningShelf:
    """One lock for all workers of a project, on every machine, and their history."""

    def __init__(self, connection: Connection, keys: Keys, lifetimes: Lifetimes) -> None:
        self._connection, self._keys, self._lifetimes = connection, keys, lifetimes

    async def take_lock(self, token: str) -> bool:
        """Take the lock, or find that one has it already; False if another worker has it."""
        name = self._keys.learn_lock
        done = await self._connection.run(
            lambda c: c.set(name, token, nx=True, px=int(LEASE_S * 1000))
        )
        return bool(done) or await self.renew_lock(token)

    async def renew_lock(self, token: str) -> bool:
        """Keep the lock for another while; False if it was lost."""
        name, lease_ms = self._keys.learn_lock, int(LEASE_S * 1000)
        answer = await self._connection.run(lambda c: c.eval(RENEW_LOCK, 1, name, token, lease_ms))
        return bool(answer[0] == DONE)

    async def drop_lock(self, token: str) -> None:
        """Give the lock back; another's is left alone."""
        name = self._keys.learn_lock
        await self._connection.run(lambda c: c.eval(DROP_LOCK, 1, name, token))

    async def beat(self, progress: Mapping[str, Any] | None = None) -> None:
        """Say that a worker lives, and what it is at (None: it waits)."""
        names, text = self._keys, encode({"run": dict(progress)}) if progress else None
        expires = int(BEAT_S * 4)

        async def write(client: Any) -> None:
            pipeline = client.pipeline(transaction=True)
            pipeline.set(names.worker, now().isoformat(), ex=expires)
            if text is not None:
                pipeline.set(names.learning_now, text, ex=expires)
            else:
                pipeline.delete(names.learning_now)
            await pipeline.execute()

        await self._connection.run(write)

    async def worker_alive(self) -> bool:
        """Whether a worker gave a sign of life lately."""
        return bool(await self._connection.run(lambda c: c.exists(self._keys.worker)))

    async def now(self) -> dict[str, Any] | None:
        """The run that goes on: `id`, `started_at`, `done` in [0, 1], `text`; None without one."""
        text = await self._connection.run(lambda c: c.get(self._keys.learning_now))
        return None if text is None else dict(decode(text, "the present run")["run"])

    async def record(self, run: Mapping[str, Any]) -> bool:
        """Keep a finished run by its `id`; False if it was kept before."""
        names, text = self._keys, encode({"run": dict(run)})

        async def write(client: Any) -> bool:
            # The hash makes it once, the index orders it; a run written twice is the same run.
            pipeline = client.pipeline(transaction=True)
            pipeline.hsetnx(names.learning_runs, str(run["id"]), text)
            pipeline.zadd(names.learning_order, {str(run["id"]): now().timestamp()}, nx=True)
            return bool((await pipeline.execute())[0])

        return await self._connection.run(write)

    async def runs(self, limit: int = 100) -> list[dict[str, Any]]:
        """The latest finished runs, newest first."""
        ids = await self._connection.run(
            lambda c: c.zrange(self._keys.learning_order, 0, limit - 1, desc=True)
        )
        if not ids:
            return []
        texts = await self._connection.run(lambda c: c.hmget(self._keys.learning_runs, ids))
        return [decode(text, "a learning run")["run"] for text in texts if text is not None]

    async def request(self, by: str) -> None:
        """Ask a worker to learn now; one request is as good as many."""
        await self._connection.run(
            lambda c: c.set(self._keys.learn_request, storable(by), ex=24 * 3600)
        )

    async def is_requested(self) -> bool:
        """Whether somebody asked to learn now and no worker has begun yet."""
        return bool(await self._connection.run(lambda c: c.exists(self._keys.learn_request)))

    async def requested(self) -> str | None:
        """Who asked to learn now, once; None if nobody did."""
        found: str | None = await self._connection.run(lambda c: c.getdel(self._keys.learn_request))
        return found
