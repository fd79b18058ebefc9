"""Stores on the embedded Redis, a real one, a Cluster and behind a Sentinel."""

import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from redis.exceptions import RedisError

from agent.storage.embedded import find_executable
from agent.storage.spool import Spool
from agent.storage.store import Store

REAL = "redis://127.0.0.1:6379/0"


Opener = Callable[..., Awaitable[Store]]


def redis_runs() -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", 6379)) == 0


def free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:  # a Cluster node also takes the port 10,000 above
            return port


@contextmanager
def server(folder: Path, *options: str) -> Iterator[int]:
    """A Redis process of its own on a free port of this machine."""
    port = free_port()
    common = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command = [str(find_executable()), *options, *common, "--logfile", str(folder / "log")]
    with subprocess.Popen(command) as process, Redis(port=port) as client:
        try:
            wait_for(lambda: bool(client.ping()))
            yield port
        finally:
            process.terminate()


def wait_for(ready: Callable[[], bool]) -> None:
    for _ in range(200):
        with contextlib.suppress(RedisError):
            if ready():
                return
        time.sleep(0.05)
    raise AssertionError("the server did not come up")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Cluster of one node, which holds all slots."""
    folder = tmp_path_factory.mktemp("cluster")
    with server(folder, "--cluster-enabled", "yes") as port, Redis(port=port) as client:
        client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        wait_for(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        yield f"redis+cluster://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A master and a Sentinel that knows it."""
    folder = tmp_path_factory.mktemp("sentinel")
    with server(folder) as master:
        config = folder / "sentinel.conf"
        config.write_text(f"sentinel monitor main 127.0.0.1 {master} 1\n")
        port = free_port()
        command = [str(find_executable()), str(config), "--sentinel", "--port", str(port)]
        log = ["--logfile", str(folder / "sentinel.log"), "--bind", "127.0.0.1"]
        with subprocess.Popen([*command, *log]) as process, Redis(port=port) as client:
            wait_for(lambda: bool(client.ping()))
            yield f"redis+sentinel://127.0.0.1:{port}/main/0"
            process.terminate()


@pytest.fixture(
    params=[
        "embedded",
        pytest.param(
            "redis",
            marks=pytest.mark.skipif(not redis_runs(), reason="no Redis at 127.0.0.1:6379"),
        ),
        pytest.param("cluster", marks=pytest.mark.slow),
        pytest.param("sentinel", marks=pytest.mark.slow),
    ]
)
async def opener(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens any number of stores that share one Redis and one prefix, and cleans up."""
    prefix = f"test-{uuid4().hex[:12]}"
    opened: list[Store] = []
    known = {"embedded": "embedded:", "redis": REAL}
    url = known.get(request.param) or request.getfixturevalue(request.param)

    async def open_store(**options: Any) -> Store:
        spool = Spool(tmp_path / ".agent" / "spool")
        store = await Store.open(url, tmp_path, **{"prefix": prefix, "spool": spool, **options})
        opened.append(store)
        return store

    yield open_store
    if url == REAL and opened:
        client = opened[0].connection.client
        async for key in client.scan_iter(match=f"{prefix}:*", count=1000):
            await client.delete(key)
    for store in opened:
        await store.close()


@pytest.fixture
async def store(opener: Opener) -> Store:
    return await opener()
