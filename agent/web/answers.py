"""A message that is sent again gets the answer it had: nothing happens twice."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from agent.storage.connection import StoreAwayError
from agent.storage.store import Store
from agent.web.turns import BusyError

Answer = dict[str, Any]
HELD = 1_000
CLAIM_S = 60
_PENDING = "pending"


@dataclass(slots=True)
class Answers:
    """The latest answers by conversation and message id, for all processes.

    Args:
        store: keeps them for `answered_s`; while Redis is away this process alone does.
    """

    store: Store
    _held: OrderedDict[tuple[str, str], asyncio.Future[Answer]] = field(default_factory=OrderedDict)

    async def once(
        self, conversation_id: str, message_id: str, make: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """The answer to a message: made now, or the one that was made before.

        Raises:
            BusyError: another process is still at it.
            AgentError: making it failed; the message may be sent again.
        """
        key = (conversation_id, message_id)
        if key in self._held:
            return await asyncio.shield(self._held[key])
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._held[key] = future
        try:
            found = await self._claim(key)
            answer = found if found is not None else await make()
        except BaseException as error:
            del self._held[key]
            _fail(future, error)
            raise
        future.set_result(answer)
        if found is None:
            await self._keep(key, answer)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return answer

    async def _claim(self, key: tuple[str, str]) -> Answer | None:
        """Say that we are at it; the answer, if somebody has it already."""
        name = self.store.keys.answered(*key)
        try:
            claimed = await self.store.connection.run(
                lambda c: c.set(name, _PENDING, nx=True, ex=CLAIM_S)
            )
            if claimed:
                return None
            found = await self.store.connection.run(lambda c: c.get(name))
        except StoreAwayError:
            return None
        if found is None or found == _PENDING:
            raise BusyError()
        answer: Answer = json.loads(found)
        return answer

    async def _keep(self, key: tuple[str, str], answer: Answer) -> None:
        name, lifetime = self.store.keys.answered(*key), self.store.lifetimes.answered_s
        data = json.dumps(answer)
        try:
            await self.store.connection.run(lambda c: c.set(name, data, ex=lifetime))
        except StoreAwayError:
            return

    async def release(self, conversation_id: str, message_id: str) -> None:
        """Let a message whose turn failed be sent again."""
        name = self.store.keys.answered(conversation_id, message_id)
        try:
            await self.store.connection.run(lambda c: c.delete(name))
        except StoreAwayError:
            return


def _fail(future: asyncio.Future[Answer], error: BaseException) -> None:
    """Those who wait for the same message fail alike; nobody may be waiting."""
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
        return
    future.set_exception(error)
    future.exception()
