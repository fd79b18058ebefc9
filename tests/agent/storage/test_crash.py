"""Kill -9 of real processes: what was acknowledged is there, once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model_folder import verify
from agent.registry import Registry
from agent.storage.embedded import EmbeddedServer
from agent.storage.spool import Spool
from agent.storage.store import Store

ROUNDS = [pytest.param(3, id="3"), pytest.param(40, id="40", marks=pytest.mark.slow)]

WRITER = """
import asyncio, sys
from pathlib import Path
from agent.feedback.service import Feedback
from agent.storage.connection import StoreAwayError
from agent.storage.spool import Spool
from agent.storage.store import Store
from agent.turn import Message, Turn, Understanding

def turn(name):
    text = f"say {name}"
    return Turn(name, Message(name, "c", text), Understanding(text), (), (), None, 1.0)

async def main(root, first):
    spool = Spool(root / ".agent" / "spool")
    store = await Store.open("embedded:", root, spool=spool)
    feedback = Feedback(store)
    print("ready", flush=True)
    for number in range(first, first + 100_000):
        name = f"t{number}"
        try:
            async with store.lock("c") as lease:
                await store.commit_turn({"id": name}, "c", [{"n": number}], fence=lease.fence)
            print("turn", name, flush=True)
        except StoreAwayError:  # killed again before it was up: nothing is promised
            await asyncio.sleep(0.01)
        done = await feedback.correct(turn(name), intent="x", correction_id=f"k{number}")
        print("correction", done.id, flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""

SPOOLER = """
import sys
from pathlib import Path
from agent.storage.spool import Spool

spool = Spool(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(int(sys.argv[2]), 10**9):
    spool.append("turn", {"n": number})
    print("entry", number, flush=True)
"""

DRAINER = """
import asyncio, sys
from pathlib import Path
from agent.storage.spool import Spool
from agent.storage.store import Store

async def main(root):
    store = await Store.open("embedded:", root, spool=Spool(root / ".agent" / "spool"))
    print("ready", flush=True)
    await store.drain()
    print("drained", "all", flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""

PUBLISHER = """
import sys
from pathlib import Path
from agent.registry import Registry

registry, before = Registry(Path(sys.argv[1])), ""
print("ready", flush=True)
for number in range(10**6):
    folder = registry.temporary()
    for name in ("understanding.onnx", "network.safetensors"):
        (folder / name).write_bytes(str(number).encode() * 20_000)
    version = registry.publish(folder, {"n": number})
    print("published", version.id, flush=True)
    registry.promote(version.id)
    print("promoted", version.id, flush=True)
    if number % 3 == 2:
        print("returns", before, flush=True)
        version = registry.rollback()
        print("promoted", version.id, flush=True)
    before = version.id
"""


class Child:
    """A process that says on its standard output what it has been promised."""

    def __init__(self, code: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self._heard = ""

    def wait(self) -> None:
        """Until it has been promised something, on however busy a machine."""
        assert self.process.stdout is not None
        self._heard += self.process.stdout.readline()

    def kill(self, *others: int) -> list[tuple[str, str]]:
        """Kill it, and others in the same moment; what it had said until then."""
        for pid in (*others, self.process.pid):
            os.kill(pid, signal.SIGKILL)
        assert self.process.stdout is not None
        said = self._heard + self.process.stdout.read()
        with self.process:
            pass
        lines = said.split("\n")[:-1]  # a torn last line was not said
        return [(kind, name) for kind, name in (line.split() for line in lines)]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    server = EmbeddedServer(tmp_path / ".agent" / "redis")
    if server.folder.exists():
        server.ensure()
        server.release()


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_agent_and_redis_are_killed_together(root: Path, rounds: int) -> None:
    chance, promised, first = random.Random(rounds), Counter[tuple[str, str]](), 0
    server = EmbeddedServer(root / ".agent" / "redis")
    for number in range(rounds):
        child = Child(WRITER, root, first)
        if number == 0:
            child.wait()
        time.sleep(chance.uniform(0.0, 0.15))
        assert server.pid is not None
        promised.update(child.kill(*([server.pid] if number % 2 else [])))
        first += 100_000
        async with await Store.open("embedded:", root) as store:
            await check_all_there_once(store, promised)
    assert promised


async def check_all_there_once(store: Store, promised: Counter[tuple[str, str]]) -> None:
    assert set(promised.values()) <= {1}
    turns = Counter([t["id"] for t in await store.turns(limit=10**6)])
    corrections = Counter([c.id for c in await store.corrections()])
    numbers = Counter([event["n"] for event in await store.load_events("c")])
    assert max([*turns.values(), *corrections.values(), *numbers.values()], default=1) == 1
    assert {name for kind, name in promised if kind == "turn"} <= set(turns)
    assert {name for kind, name in promised if kind == "correction"} <= set(corrections)
    # A turn and its events are one step: neither is ever there without the other.
    assert {f"t{number}" for number in numbers} == set(turns)
    assert len(await store.corrections("accepted")) == len(corrections)


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_redis_alone_is_killed_under_load(root: Path, rounds: int) -> None:
    child = Child(WRITER, root, 0)
    server = EmbeddedServer(root / ".agent" / "redis")
    chance = random.Random(rounds)
    for _ in range(rounds):
        time.sleep(chance.uniform(0.05, 0.15))
        before = server.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while server.pid == before and time.monotonic() < deadline:
            time.sleep(0.005)
    child.wait()
    promised = Counter(child.kill())
    async with await Store.open("embedded:", root, spool=Spool(root / ".agent" / "spool")) as store:
        await check_all_there_once(store, promised)
    assert promised


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_process_is_killed_while_it_spools(root: Path, rounds: int) -> None:
    chance, promised = random.Random(rounds), set[str]()
    spool = Spool(root / "spool")
    for number in range(rounds):
        child = Child(SPOOLER, spool.folder, number * 10**6)
        if number == 0:
            child.wait()
        time.sleep(chance.uniform(0.0, 0.05))
        promised |= {name for _, name in child.kill()}
        numbers = [str(entry.record["n"]) for entry in spool.entries()]
        assert len(numbers) == len(set(numbers))
        assert promised <= set(numbers)
    assert promised


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_a_process_is_killed_while_it_writes_the_spool_back(root: Path, rounds: int) -> None:
    chance, spool = random.Random(rounds), Spool(root / ".agent" / "spool")
    count = 300
    for number in range(count):
        await spool.add_turn({"id": f"t{number}"}, "c", [{"n": number}])
    for _ in range(rounds):
        child = Child(DRAINER, root)
        time.sleep(chance.uniform(0.0, 0.05))
        child.kill()
    async with await Store.open("embedded:", root, spool=spool) as store:
        await store.drain()
        events = [event["n"] for event in await store.load_events("c")]
        assert events == list(range(count))
        assert await store.turn_count() == count
        assert spool.size() == 0


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_process_is_killed_while_it_publishes_and_promotes(root: Path, rounds: int) -> None:
    chance, registry = random.Random(rounds), Registry(root)
    for _ in range(rounds):
        child = Child(PUBLISHER, root)
        time.sleep(chance.uniform(0.0, 0.1))
        said = child.kill()
        versions = {version.id: version for version in registry.versions()}
        assert all(version.problem is None for version in versions.values())
        assert {name for kind, name in said if kind == "published"} <= set(versions)
        serving = registry.production()
        promoted = [name for kind, name in said if kind == "promoted"]
        if promoted:
            assert serving is not None
            # The last promise holds, or the one that was being made when the blow fell.
            assert serving.id in (promoted[-1], said[-1][1])
        if serving is not None:
            verify(serving.path)
            assert registry.history()[-1].id == serving.id
