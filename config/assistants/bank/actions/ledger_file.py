"""The ledger's SQLite file: one connection a thread, opened anew where the file was deleted."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actions.records import LedgerError

_BUSY_S = 10.0
_BESIDE = ("-wal", "-shm", "-journal")
_File = tuple[int, int]


class LedgerFile:
    """Gives each thread a connection of its own to the file that lies at `path`.

    A file that somebody deleted lives on for those who have it open, each with balances of its
    own: so each question asks first whether the path still leads to the file that is open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection; to open one costs more than most questions.

        Raises LedgerError: the file is no ledger.
        """
        found: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if found is not None and self._mine.file == _identity(self._path):
            return found
        if found is not None:
            found.close()
        self._make()
        self._mine.file = _identity(self._path)
        self._mine.connection = _opened(self._path)
        return self._mine.connection  # type: ignore[no-any-return]

    def _make(self) -> None:
        """An empty file where there is none, without what SQLite left beside a deleted one."""
        if self._path.exists():
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(self._path.with_name(f"{self._path.name}.lock")):
            if not self._path.exists():
                for ending in _BESIDE:
                    self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
                self._path.touch()


def _opened(path: Path) -> sqlite3.Connection:
    found = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        with suppress(sqlite3.OperationalError):  # busy: another one switches it on
            found.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        found.close()
        raise LedgerError(
            f"The demo ledger is damaged; whoever runs it can delete {path.name} to begin anew."
        ) from error
    return found


def _identity(path: Path) -> _File | None:
    """Which file lies at a path; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds a lock that all processes respect, where the system has such locks.

    Windows has other ones; there an open file cannot be deleted in the first place.
    """
    with open(path, "ab") as lock:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
