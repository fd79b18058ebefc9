"""Commands that are asked for at the same time go to Redis together: one write, one answer."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

_Waiting = list[tuple[tuple[Any, ...], "asyncio.Future[Any]"]]


@dataclass(slots=True)
class Pipelined:
    """A client's scripts, gathered until the event loop comes round again.

    Nobody waits for company: a command that comes alone is sent at once, and while answers are
    on their way others are sent. Each command gets its own answer or error; where the
    connection fails, all that went together fail alike.

    Args:
        client: a client of one server; a Cluster's commands go to several.
    """

    client: Redis
    _waiting: _Waiting = field(default_factory=list)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def eval(self, script: str, keys: int, *values: Any) -> Any:
        """What a script answers, as `Redis.eval` does."""
        return await self._soon("EVAL", script, keys, *values)

    async def evalsha(self, digest: str, keys: int, *values: Any) -> Any:
        """What a script that the server has answers, as `Redis.evalsha` does."""
        return await self._soon("EVALSHA", digest, keys, *values)

    def _soon(self, *command: Any) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._start)
        self._waiting.append((command, future))
        return future

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._send(waiting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, waiting: _Waiting) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for command, _ in waiting:
            pipeline.execute_command(*command)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            answers = [error] * len(waiting)
        for (_, future), answer in zip(waiting, answers, strict=True):
            if future.done():  # whoever asked was cancelled
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
