"""Keeps child processes running: server processes on one socket, the learning worker."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.cli.supervised import SUPERVISED

_log = logging.getLogger(__name__)
QUICK_S = 10.0  # a child that ends sooner has failed to start
TRIES = 5
LOOK_S = 0.2


@dataclass(slots=True)
class Child:
    """One process that is started again when it ends, with pauses if it ends at once.

    Args:
        name: what it is, for the log.
        command: arguments of `agent`.
        descriptors: open files that it inherits.
        wanted: whether the server cannot go on without it.
    """

    name: str
    command: Sequence[str]
    descriptors: Sequence[int] = ()
    wanted: bool = True
    failures: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _started: float = 0.0
    _not_before: float = 0.0

    def start(self) -> None:
        """Start it; it ends by itself when its standard input does, so it cannot outlive us."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agent", *self.command],
            stdin=subprocess.PIPE,
            pass_fds=tuple(self.descriptors),
            env={**os.environ, SUPERVISED: "1"},
        )

    def look(self) -> None:
        """Start it again if it has ended."""
        if self._process is None:
            if time.monotonic() >= self._not_before:
                self.start()
            return
        code = self._process.poll()
        if code is None:
            return
        quick = time.monotonic() - self._started < QUICK_S
        self.failures = self.failures + 1 if quick else 0
        self._process = None
        self._not_before = time.monotonic() + (min(2.0**self.failures, 60.0) if quick else 0.0)
        _log.error("%s ended with code %s and is started again", self.name, code)

    @property
    def hopeless(self) -> bool:
        """Whether it ends each time it is started."""
        return self.wanted and self.failures >= TRIES

    def stop(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, timeout_s: float) -> None:
        """Wait for its end; kill it after the timeout."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _log.warning("%s did not end in time and is killed", self.name)
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


@dataclass(slots=True)
class Supervisor:
    """Watches children until it is told to stop."""

    children: Sequence[Child]
    stop_s: float
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> bool:
        """Keep the children running; True after `stop`, False if a wanted one will not run."""
        for child in self.children:
            child.start()
        fine = True
        while fine and not self.stopped.wait(LOOK_S):
            for child in self.children:
                child.look()
            fine = not any(child.hopeless for child in self.children)
        self._end()
        return fine

    def stop(self) -> None:
        """End the children, each after what it is doing, and return from `run`."""
        self.stopped.set()

    def _end(self) -> None:
        for child in self.children:
            child.stop()
        deadline = time.monotonic() + self.stop_s
        for child in self.children:
            child.wait(max(0.1, deadline - time.monotonic()))
