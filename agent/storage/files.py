"""Locks between processes and writes that survive a power cut, on plain files."""

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.errors import StoreError


class FileLock:
    """An advisory lock on a file; the kernel drops it when its holder dies, however it dies.

    Args:
        path: the lock file; made if it is missing, never deleted.
        shared: several holders at once, but none beside an exclusive one.
        timeout_s: seconds that `with` waits before it gives up.
    """

    def __init__(self, path: Path, *, shared: bool = False, timeout_s: float = 30.0) -> None:
        self.path, self.shared, self.timeout_s = path, shared, timeout_s
        self._fd: int | None = None

    def acquire(self, timeout_s: float = 0.0) -> bool:
        """Take the lock within `timeout_s` seconds; False if another holds it.

        Raises:
            StoreError: the file cannot be opened.
        """
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror}") from error
        deadline = time.monotonic() + timeout_s
        while not _try_lock(fd, self.shared):
            if time.monotonic() >= deadline:
                os.close(fd)
                return False
            time.sleep(0.01)
        self._fd = fd
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held.

        It is free at once, also where a process that is just being started has a copy of the
        descriptor.
        """
        # Taken out first: closing lets another thread in, which stores its own descriptor.
        fd, self._fd = self._fd, None
        if fd is not None:
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    def bequeath(self) -> None:
        """Let go of the lock, which a child that inherited its descriptor goes on to hold."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    @property
    def fileno(self) -> int:
        """The descriptor of the held lock; a child that inherits it holds the lock, too."""
        assert self._fd is not None, "the lock is not held"
        return self._fd

    def __enter__(self) -> Self:
        if not self.acquire(self.timeout_s):
            raise StoreError(f"{self.path} is held by another process for {self.timeout_s:.0f} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _try_lock(fd: int, shared: bool) -> bool:
    """One try that does not wait."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def sync_folder(folder: Path) -> None:
    """Make new, renamed and deleted names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(path: Path, text: str) -> None:
    """Replace a file by rename: after a crash it holds the old text or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Append one line and wait until it is on the disk; a torn last line is closed first."""
    new = not path.exists()
    with path.open("a+b") as file:
        if file.tell() and not _ends_with_newline(file.fileno()):
            file.write(b"\n")
        file.write(line.encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def _ends_with_newline(fd: int) -> bool:
    size = os.fstat(fd).st_size
    return os.pread(fd, 1, size - 1) == b"\n"
