"""A learning worker's line to the store while it is busy: the lock, signs of life, progress."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from agent.errors import AgentError
from agent.settings import Settings
from agent.storage.files import FileLock
from agent.storage.learning import BEAT_S, LEASE_S
from agent.storage.opening import open_store
from agent.storage.store import Store
from agent.turn import now

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Watch:
    """Holds the project's learning lock and tells how far a run is, from a thread of its own.

    Args:
        root: the project's folder.
        settings: where its store is.
        run_id: the run that is told of; empty: none, the worker only waits.
    """

    root: Path
    settings: Settings
    run_id: str = ""
    lost: bool = False
    _state: dict[str, Any] = field(default_factory=dict)
    _token: str = field(default_factory=lambda: uuid4().hex)
    _ended: threading.Event = field(default_factory=threading.Event)
    _ready: threading.Event = field(default_factory=threading.Event)
    _error: BaseException | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self.run_id:
            self._state = {"id": self.run_id, "started_at": now().isoformat(), "done": 0.0}
        self._thread = threading.Thread(target=self._main, name="learning-watch", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=LEASE_S)

    def progress(self, done: float, text: str) -> None:
        """Remember how far the run is (share in [0, 1]); told with the next sign of life."""
        self._state.update(done=round(done, 4), text=text)

    def check(self) -> None:
        """Raise AgentError if another worker has taken the lock meanwhile."""
        if self.lost:
            raise AgentError("another worker took over while this one was cut off from the store")

    def _main(self) -> None:
        try:
            asyncio.run(self._watch())
        except AgentError as error:
            self._error = error
        finally:
            self._ready.set()

    async def _watch(self) -> None:
        async with await open_store(self.root, self.settings.store) as store:
            if self.run_id and not await store.learning.take_lock(self._token):
                raise AgentError(f"another process is learning for {self.root}: wait for it to end")
            await store.learning.beat(self._state or None)
            self._ready.set()
            while not await asyncio.to_thread(self._ended.wait, BEAT_S):
                await self._beat(store)
            if self.run_id:
                await store.learning.drop_lock(self._token)
                await store.learning.beat()

    async def _beat(self, store: Store) -> None:
        """A store that is away for a while loses nothing: the lock is taken again if it is free."""
        try:
            if self.run_id:
                self.lost = not await store.learning.take_lock(self._token)
            await store.learning.beat(dict(self._state) or None)
        except AgentError as error:
            _log.warning("no sign of life could be given: %s", error)


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the project's learning lock of this machine; the kernel drops it when we end.

    Raises:
        AgentError: another process holds it.
    """
    folder = root / ".agent"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "learn.lock")
    if not lock.acquire():
        raise AgentError(f"another process is learning for {root}: wait for it to end")
    try:
        yield
    finally:
        lock.release()
