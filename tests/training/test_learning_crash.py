"""Kill -9 of correcting, accepting, learning and promoting: nothing acknowledged is lost."""

import asyncio
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

from agent.feedback.correction import Correction
from agent.feedback.queue import ReviewQueue
from agent.model_folder import verify
from agent.registry import Registry
from agent.settings import load_settings
from agent.storage.embedded import EmbeddedServer
from agent.storage.spool import Spool
from agent.storage.store import Store
from tests.shop import write_shop

ROUNDS = 200 if os.environ.get("INTENT_AGENT_FULL_COUNTS") else 5

# A learning cycle with everything real but the network: two small files stand for it.
AGENT = """
import asyncio, random, sys, time
from pathlib import Path
from agent.feedback.queue import ReviewQueue
from agent.feedback.queue_item import Judgement
from agent.feedback.service import Feedback
from agent.feedback.submission import Author, Said
from agent.registry import Registry
from agent.settings import load_settings
from agent.storage.opening import open_store
from training import worker
from training.cycle import Workbench
from training.examine import Examination
from training.promote import Evidence
from agent.project import load_project

root, first = Path(sys.argv[1]), int(sys.argv[2])
settings = load_settings(root)
project = load_project(root)

def train(nlu, folder, champion):
    for name in ("understanding.onnx", "network.safetensors"):
        (folder / name).write_bytes(champion.name.encode() * 20_000)
        time.sleep(0.01)
    return {"examples": len(nlu.examples)}

def examine(folder, curated):
    new = not (folder / "manifest.json").exists()
    taught = [new] * len(curated.examples)
    return Examination(Evidence(held_out=[new] * len(curated.held_out), taught=taught), frozenset())

worker._workbench = lambda root, settings, options, run: Workbench(
    project, Registry(root), train, examine, run=run
)

async def feed(number):
    async with await open_store(root, settings.store, require=False) as store:
        feedback = Feedback(store)
        queue = ReviewQueue(store, settings.feedback)
        for name in (f"a{number}", f"b{number}"):
            said = Said("greet" if name[0] == "a" else "goodbye")
            author = Author("rev", "reviewer") if name[0] == "a" else Author("u", "signed_in")
            done = await feedback.submit(None, said, author, text=f"say {name}", correction_id=name)
            print(done.state, done.id, flush=True)
        await queue.refresh()
        for item in await queue.items():
            done = await queue.decide(item.id, "rev", Judgement("correct", intent="goodbye"))
            for one in done.verdicts[-1].corrections:
                print("accepted", one, flush=True)

print("ready", flush=True)
for number in range(first, first + 10_000):
    asyncio.run(feed(number))
    result = worker.learn_once(root, settings, worker.LearnOptions())
    if result.decision == "promoted":
        print("promoted", result.challenger["id"], flush=True)
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = write_shop(tmp_path / "shop")
    registry = Registry(root)
    folder = registry.temporary()
    (folder / "understanding.onnx").write_text("first")
    registry.promote(registry.publish(folder, {}).id)
    yield root
    server = EmbeddedServer(root / ".agent" / "redis")
    server.ensure()
    server.release()


def run_and_kill(root: Path, first: int, after_s: float, *, redis: bool) -> list[tuple[str, str]]:
    """What an agent acknowledged before it was killed, in half of the cases with its Redis."""
    child = subprocess.Popen(
        [sys.executable, "-c", AGENT, str(root), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(after_s)
    pid = EmbeddedServer(root / ".agent" / "redis").pid if redis else None
    for victim in (pid, child.pid):
        if victim is not None:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue  # the server had ended between two uses
    said = child.stdout.read()
    with child:
        pass
    return [(kind, name) for kind, name in (x.split() for x in said.split("\n")[:-1])]


def test_killed_at_any_point_nothing_acknowledged_is_lost_or_counted_twice(root: Path) -> None:
    chance, promised = random.Random(ROUNDS), dict[str, str]()
    for number in range(ROUNDS):
        after_s = chance.uniform(0.0, 1.5)
        for kind, name in run_and_kill(root, number * 10_000, after_s, redis=bool(number % 2)):
            if kind == "promoted":
                assert name in {line.id for line in Registry(root).history()}
            else:
                promised[name] = kind
        serving = Registry(root).production()
        assert serving is not None
        verify(serving.path)
        asyncio.run(check(root, promised))
    assert promised


async def check(root: Path, promised: dict[str, str]) -> None:
    """Each correction is there once, in the state that was told or a later one."""
    spool = Spool(root / ".agent" / "spool")
    async with await Store.open("embedded:", root, spool=spool) as store:
        found: list[Correction] = await store.corrections()
        counted = Counter(one.id for one in found)
        states = {one.id: one.state for one in found}
        for name, state in promised.items():
            assert counted[name] == 1
            assert states[name] in (state, "accepted")
        runs = [run["id"] for run in await store.learning.runs(limit=10_000)]
        assert len(runs) == len(set(runs))
        queue = ReviewQueue(store, load_settings(root).feedback)
        await queue.refresh()
        assert all(item.count == 1 for item in await queue.items(state="all", limit=10_000))
