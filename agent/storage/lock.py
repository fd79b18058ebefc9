"""The lock of a conversation: its messages run one after the other, in every process."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from agent.errors import StoreError
from agent.storage.connection import Connection, StoreAwayError
from agent.storage.keys import Keys, Lifetimes
from agent.storage.scripts import DONE, DROP_LOCK, RENEW_LOCK, TAKE_LOCK

_log = logging.getLogger(__name__)


class LockLostError(StoreError):
    """Another process took the conversation while this one was away too long."""


@dataclass(slots=True)
class Lease:
    """A held conversation. `fence` goes with each write, None when only this process is locked.

    `token` gives it back; `released` says that a write did so already, `over` that the
    holder is done with it.
    """

    conversation_id: str
    fence: int | None
    token: str = ""
    lost: bool = False
    released: bool = False
    over: bool = False


class ConversationLocks:
    """Locks by conversation: first within the process, in order of arrival, then in Redis."""

    def __init__(self, connection: Connection, keys: Keys, lifetimes: Lifetimes) -> None:
        self._connection, self._keys, self._lifetimes = connection, keys, lifetimes
        self._local: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, conversation_id: str, *, wait_s: float) -> AsyncIterator[Lease]:
        """Hold a conversation; when Redis is away the lock is local and the lease has no fence.

        Raises:
            StoreError: another process holds it for longer than `wait_s` seconds.
        """
        local = self._local.setdefault(conversation_id, asyncio.Lock())
        deadline = time.monotonic() + wait_s
        await self._acquire_local(local, conversation_id, wait_s)
        try:
            lease = await self._take(conversation_id, uuid4().hex, deadline)
            keeping = _Keeping(self._renew, lease, self._lifetimes.lease_s / 3)
            try:
                yield lease
            finally:
                await keeping.end()
                await self._drop(lease)
        finally:
            local.release()

    async def _acquire_local(self, lock: asyncio.Lock, conversation_id: str, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await lock.acquire()
        except TimeoutError as error:
            raise _busy(conversation_id, wait_s) from error

    async def _take(self, conversation_id: str, token: str, deadline: float) -> Lease:
        names = [self._keys.lock(conversation_id), self._keys.fence(conversation_id)]
        lease_ms = int(self._lifetimes.lease_s * 1000)
        begun, pause_s = time.monotonic(), 0.005
        while True:
            try:
                done, fence = await self._connection.script(
                    TAKE_LOCK, names, token, lease_ms, self._lifetimes.fence_s
                )
            except StoreAwayError as error:
                _log.warning("conversation locked in this process only: %s", error)
                return Lease(conversation_id, None)
            if done == DONE:
                return Lease(conversation_id, int(fence), token)
            if time.monotonic() + pause_s > deadline:
                raise _busy(conversation_id, time.monotonic() - begun)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spread, no secret
            pause_s = min(pause_s * 1.5, 0.1)

    async def _renew(self, lease: Lease) -> None:
        """Lengthen the lease while it is held; a failed try is repeated."""
        name = self._keys.lock(lease.conversation_id)
        lease_ms = int(self._lifetimes.lease_s * 1000)
        while not (lease.lost or lease.over):
            with contextlib.suppress(StoreError):
                answer = await self._connection.script(RENEW_LOCK, [name], lease.token, lease_ms)
                lease.lost = answer[0] != DONE
            # A cancellation that came while Redis answered may have been lost in wait_for
            # (Python before 3.12), so it is not relied on.
            if not lease.over:
                await asyncio.sleep(self._lifetimes.lease_s / 3)

    async def _drop(self, lease: Lease) -> None:
        """Give the lock back; if Redis is away it runs out by itself."""
        if lease.fence is None or lease.released:
            return
        name = self._keys.lock(lease.conversation_id)
        with contextlib.suppress(StoreError):
            await self._connection.script(DROP_LOCK, [name], lease.token)


class _Keeping:
    """Renews a lease from `after_s` on; most are given back before that and cost no task."""

    def __init__(
        self, renew: Callable[[Lease], Coroutine[Any, Any, None]], lease: Lease, after_s: float
    ) -> None:
        self._lease = lease
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if lease.fence is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(after_s, self._begin, renew, lease)

    def _begin(self, renew: Callable[[Lease], Coroutine[Any, Any, None]], lease: Lease) -> None:
        self._task = asyncio.create_task(renew(lease))

    async def end(self) -> None:
        """Renew no more."""
        self._lease.over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _busy(conversation_id: str, waited_s: float) -> StoreError:
    return StoreError(
        f"conversation {conversation_id[:80]!r} is still busy with another message after "
        f"{waited_s:.0f} s: send it again later"
    )
