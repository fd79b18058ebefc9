"""Ends the embedded Redis server when the last client was killed and nobody came back.

Run as a script beside each server, with nothing but the standard library, so that it is small.
It waits for the server's own end; in between it looks whether any client is left. What the server
acknowledged is on the disk, and it is ended under the gate that clients start it under.
"""

import contextlib
import fcntl
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

PERIOD_S = 150
# So many looks in a row without a client, and the server is an orphan.
LOOKS = 2


class _LookError(Exception):
    """It is time to look for clients."""


def watch(folder: Path, path: Path, period_s: float) -> None:
    """Return when the server of a folder has ended, by itself or by us.

    Args:
        folder: `<project>/.agent/redis`.
        path: the server's socket.
        period_s: seconds between two looks.
    """
    signal.signal(signal.SIGALRM, _look)
    alive = os.open(folder / "alive.lock", os.O_RDWR | os.O_CREAT, 0o600)
    lonely = 0
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, period_s)
            fcntl.flock(alive, fcntl.LOCK_SH)  # held by the server as long as it lives
            fcntl.flock(alive, fcntl.LOCK_UN)  # at once: somebody may be starting the next one
            return
        except _LookError:
            lonely = lonely + 1 if _end_if_alone(folder, path, end=lonely + 1 >= LOOKS) else 0


def _look(_number: int, _frame: FrameType | None) -> None:
    raise _LookError


def _end_if_alone(folder: Path, path: Path, *, end: bool) -> bool:
    """Whether there is no client; then end the server if that is wanted."""
    with contextlib.ExitStack() as stack:
        for name in ("gate.lock", "clients.lock"):
            fd = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
            stack.callback(os.close, fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
        if end:
            _shut_down(path)
        return True


def _shut_down(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10.0)
        with contextlib.suppress(OSError):
            connection.connect(str(path))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            connection.recv(64)


if __name__ == "__main__":
    watch(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
