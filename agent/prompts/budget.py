"""How often a language model may be asked a day, counted by all processes of a project."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import filelock

_TIMEOUT_S = 2.0


def _today() -> date:
    return datetime.now(UTC).date()


class DailyBudget:
    """Counts calls in a file, anew each day (UTC).

    Args:
        path: the file; its folder is made if it is missing.
        calls: how many a day.
        today: tells the day.
    """

    def __init__(self, path: Path, calls: int, today: Callable[[], date] = _today) -> None:
        self._path, self._calls, self._today = path, calls, today

    def take(self) -> bool:
        """Whether one more call is left, which is then spent; no where that cannot be told."""
        if self._calls <= 0:
            return False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{self._path}.lock", timeout=_TIMEOUT_S):
                spent = self._spent()
                if spent >= self._calls:
                    return False
                entry = {"day": self._today().isoformat(), "calls": spent + 1}
                temporary = self._path.with_name(self._path.name + ".partial")
                temporary.write_text(json.dumps(entry), encoding="utf-8")
                temporary.replace(self._path)
        except (OSError, filelock.Timeout):
            return False
        return True

    def _spent(self) -> int:
        try:
            entry = json.loads(self._path.read_text(encoding="utf-8"))
            return int(entry["calls"]) if entry["day"] == self._today().isoformat() else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0
