import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.errors import InputError, StoreError
from agent.feedback.correction import Correction
from agent.storage import connection as module
from agent.storage.connection import Connection, StoreAwayError, make_client
from agent.storage.spool import Spool
from agent.storage.store import Store


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "rediss://user:secret@example.com:6380/1",
        "unix:///run/redis.sock",
        "redis+sentinel://user:p%40ss@one:26379,two/main/2?sentinel_password=x",
        "rediss+sentinel://one/main",
        "redis+cluster://localhost:7000",
        "rediss+cluster://user:secret@localhost:7000",
    ],
)
async def test_every_known_form_gives_a_client(url: str) -> None:
    client = make_client(url)
    await client.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis://localhost:port",
        "redis+sentinel://one",
        "redis://localhost:99999999/x",
        "memcached://x",
    ],
)
def test_an_unknown_form_names_the_known_ones(url: str) -> None:
    with pytest.raises(InputError, match=r"redis\+sentinel://"):
        make_client(url)


async def test_a_sentinel_url_names_hosts_service_database_and_passwords() -> None:
    client = make_client("redis+sentinel://u:p@one:1,[::1]/main/2?sentinel_password=x")
    pool = client.connection_pool
    manager = pool.sentinel_manager
    hosts = [s.connection_pool.connection_kwargs for s in manager.sentinels]
    assert [(h["host"], h["port"], h["password"]) for h in hosts] == [
        ("one", 1, "x"),
        ("::1", 26379, "x"),
    ]
    assert pool.service_name == "main"
    assert (pool.connection_kwargs["db"], pool.connection_kwargs["username"]) == (2, "u")
    assert pool.connection_kwargs["password"] == "p"
    await client.aclose()


async def test_the_embedded_server_needs_a_project() -> None:
    with pytest.raises(StoreError, match="no project folder"):
        await Connection.open("embedded:", None)


async def test_nobody_there_is_said_soon_and_without_the_password() -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}/0"
    begun = time.monotonic()
    with pytest.raises(StoreAwayError, match="does not answer") as caught:
        await Store.open(url)
    assert time.monotonic() - begun < 15
    assert "secret" not in str(caught.value)


async def test_a_server_that_never_answers_is_given_up_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.2)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(StoreAwayError):
        await Store.open(f"redis://127.0.0.1:{port}/0")
    assert time.monotonic() - begun < 15
    server.close()


async def test_after_a_failure_nobody_waits_again_for_a_moment() -> None:
    store = await Store.open(f"redis://127.0.0.1:{free_port()}/0", require=False)
    assert store.connection.away
    begun = time.monotonic()
    for _ in range(100):
        with pytest.raises(StoreAwayError):
            await store.ping()
    assert time.monotonic() - begun < 10
    await store.close()


async def test_the_lock_is_local_while_redis_is_away() -> None:
    store = await Store.open(f"redis://127.0.0.1:{free_port()}/0", require=False)
    async with store.lock("c") as lease:
        assert lease.fence is None
        with pytest.raises(StoreError, match="busy"):
            async with store.lock("c", wait_s=0.01):
                pass
    await store.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    spool = Spool(tmp_path / ".agent" / "spool")
    store = await Store.open("embedded:", tmp_path, spool=spool)
    yield store
    await store.close()


def kill(store: Store) -> None:
    assert store.connection.server is not None
    pid = store.connection.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def test_a_killed_embedded_server_is_started_again_by_the_next_command(
    store: Store,
) -> None:
    await store.commit_turn({"id": "t"}, "c", [{"event": "user"}])
    kill(store)
    assert await store.load_events("c") == [{"event": "user"}]
    assert await store.commit_turn({"id": "t2"}, "c", [{"event": "bot"}])
    assert len(await store.load_events("c")) == 2


async def test_corrections_are_followed_on_after_a_killed_server(store: Store) -> None:
    one = Correction(text="a", kind="intent", author="x", intent="greet")
    await store.add_correction(one)
    (change,) = await store.correction_changes("0-0")
    assert change.correction == one
    kill(store)
    two = Correction(text="b", kind="intent", author="x", intent="greet")
    await store.add_correction(two)
    (change,) = await store.correction_changes(change.position)
    assert change.correction == two


async def test_what_was_spooled_is_written_before_the_next_write_once_and_in_order(
    store: Store,
) -> None:
    assert store.spool is not None
    await store.commit_turn({"id": "t0"}, "c", [{"n": 0}])
    for number in (1, 2):
        await store.spool.add_turn({"id": f"t{number}"}, "c", [{"n": number}], counters={"x": 1})
    await store.spool.add_turn({"id": "t2"}, "c", [{"n": 2}], counters={"x": 1})
    await store.commit_turn({"id": "t3"}, "c", [{"n": 3}])
    assert await store.load_events("c") == [{"n": number} for number in range(4)]
    assert (await store.counters())["x"] == 2
    assert store.spool.size() == 0


async def test_a_spooled_correction_and_its_change_are_written(store: Store) -> None:
    assert store.spool is not None
    one = Correction(text="a", kind="intent", author="x", intent="greet")
    await store.spool.add_correction(one)
    await store.spool.add_correction(one.moved("accepted", "bob"), expected_revision=1)
    assert [c.state for c in await store.corrections()] == ["accepted"]


async def test_a_spooled_correction_of_a_turn_gets_the_turns_text(store: Store) -> None:
    assert store.spool is not None
    message = {"text": "hi", "conversation_id": "c"}
    await store.commit_turn({"id": "t", "message": message}, "c", [])
    one = Correction(text="", kind="intent", author="x", intent="greet", turn_id="t")
    await store.spool.add_correction(one)
    (stored,) = await store.corrections()
    assert (stored.text, stored.conversation_id) == ("hi", "c")


async def test_a_spooled_correction_that_can_never_fit_is_kept_apart(store: Store) -> None:
    assert store.spool is not None
    one = Correction(text="", kind="intent", author="x", intent="greet", turn_id="gone")
    await store.spool.add_correction(one)
    assert await store.corrections() == []
    assert len(store.spool.dead()) == 1


async def test_a_read_only_store_counts_as_away_so_that_writes_are_spooled(store: Store) -> None:
    client = store.connection.client
    await client.config_set("min-replicas-to-write", 1)
    with pytest.raises(StoreAwayError, match="cannot do it now"):
        await store.commit_turn({"id": "t"}, "c", [])
    await client.config_set("min-replicas-to-write", 0)


async def test_the_durability_of_the_embedded_server_is_always(store: Store) -> None:
    assert await store.durability() == "always"


async def test_nothing_of_a_person_stays_in_the_append_only_file(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / ".agent" / "redis" / "appendonly.aof"
    await store.commit_turn({"id": "t", "text": "my secret"}, "c", [{"text": "my secret"}])
    assert b"my secret" in file.read_bytes()
    forgotten = await store.forget("c")
    assert forgotten.rewritten
    assert b"my secret" not in file.read_bytes()


async def test_nothing_of_a_person_stays_in_the_spool(store: Store, tmp_path: Path) -> None:
    assert store.spool is not None
    await store.spool.add_turn({"id": "t", "text": "my secret"}, "c", [])
    forgotten = await store.forget("c")
    assert forgotten.spooled == 1
    files = (tmp_path / ".agent" / "spool").iterdir()
    assert all(b"my secret" not in file.read_bytes() for file in files)
