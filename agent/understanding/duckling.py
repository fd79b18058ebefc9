"""The parent's end of the value process: asks Duckling, and outlives whatever happens to it."""

import json
import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

_log = logging.getLogger(__name__)
_CHILD = Path(__file__).with_name("duckling_child.py")
LIMIT_S = 1.0
# What a message waits at most for those before it.
_QUEUE_S = 2.0


class Match(TypedDict):
    """What Duckling says of characters `[start:end]`; `value` is its own JSON."""

    dim: str
    start: int
    end: int
    value: dict[str, Any]


@dataclass(slots=True)
class _Child:
    """A running process; `end` ends it and gives its exit code."""

    process: "subprocess.Popen[str]"
    end: Callable[[], int | None]

    def ask(self, request: dict[str, Any]) -> list[Match] | None:
        """The matches; None if the process is gone."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            return None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
        except OSError:
            return None
        found: list[Match] | None = json.loads(line) if line.endswith("\n") else None
        return found


class Duckling:
    """Finds values in one locale and time zone; may be called from several threads.

    The process starts with the first text, and again after a text that took it longer than
    `LIMIT_S` seconds; such a text has no values.
    """

    def __init__(self, locale: str, timezone: str, *, limit_s: float = LIMIT_S) -> None:
        self._settings = {"locale": locale, "timezone": timezone, "limit_s": limit_s}
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def find(self, text: str, dimensions: Sequence[str], time_s: float) -> list[Match]:
        """Duckling's matches in a text, in its order.

        Args:
            text: a message.
            dimensions: Duckling's names (`time`, `amount-of-money`, …).
            time_s: the moment that relative times refer to, seconds since 1970.
        """
        if not text.strip() or not dimensions:
            return []
        request = {
            # Each of these is one character before and after: offsets stay.
            "text": text.replace("\0", " ").encode("utf-8", "replace").decode(),
            "dimensions": list(dimensions),
            "time_s": time_s,
        }
        if not self._lock.acquire(timeout=_QUEUE_S):
            _log.warning("values are not looked for: earlier messages keep Duckling busy")
            return []
        try:
            return self._ask(request)
        finally:
            self._lock.release()

    def _ask(self, request: dict[str, Any]) -> list[Match]:
        if self._child is None or self._child.process.poll() is not None:
            self._child = self._start()
        found = self._child.ask(request)
        if found is None:
            code = self._child.end()
            self._child = None
            _log.warning(
                "a text of %d characters has no values: Duckling ended with code %s "
                "(it took too long, or its package is broken)",
                len(request["text"]),
                code,
            )
        return found or []

    def _start(self) -> _Child:
        # Its own session keeps Ctrl-C in the terminal from it.
        process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        if process.stdin is not None:
            process.stdin.write(json.dumps(self._settings) + "\n")
        # Also when this object or the program goes without a word.
        return _Child(process, weakref.finalize(self, partial(_end, process)))


def _end(process: "subprocess.Popen[str]") -> int:
    """End the process and free its pipes; its exit code."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not written yet has nowhere to go
                pipe.close()
    return process.wait()
