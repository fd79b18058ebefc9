"""Writes each kept item to a file once, as JSON lines, also after a kill."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from agent.errors import AgentError
from agent.storage.monitor_log import MonitorLog

_CHUNK = 500
# More than any line of ours has bytes.
_TAIL = 1_000_000


@dataclass(slots=True)
class ItemFile:
    """Follows the log of items: the last whole line of the file says where to go on.

    Args:
        path: the file; it grows at its end.
        log: holds the items.
    """

    path: Path
    log: MonitorLog
    _position: str | None = None
    _opened: bool = False

    async def catch_up(self) -> int:
        """Write the items that the file lacks; how many.

        Raises:
            AgentError: it cannot be written, or its last line is not ours.
        """
        try:
            if not self._opened:
                self._position, self._opened = self._repair(), True
            return await self._append()
        except OSError as error:
            raise AgentError(f"{self.path}: {error.strerror or error}") from error

    async def _append(self) -> int:
        written = 0
        while rows := await self.log.items(limit=_CHUNK, after=self._position, newest=False):
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                file.flush()
                os.fsync(file.fileno())
            self._position, written = str(rows[-1]["position"]), written + len(rows)
        return written

    def _repair(self) -> str | None:
        """Cut off a torn last line; the position that the last whole line tells."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return None
        with self.path.open("r+b") as file:
            start = max(0, file.seek(0, 2) - _TAIL)
            file.seek(start)
            data = file.read()
            whole = data.rfind(b"\n") + 1
            file.truncate(start + whole)
        last = data[:whole].rstrip(b"\n").rpartition(b"\n")[2]
        if not last:
            return None
        try:
            return str(json.loads(last)["position"])
        except (ValueError, KeyError, TypeError) as error:
            raise AgentError(
                f"{self.path}: its last line is none of ours; name another file with --out"
            ) from error
