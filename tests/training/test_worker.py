import asyncio
from pathlib import Path

import pytest

from agent.errors import AgentError
from agent.feedback.correction import Correction
from agent.registry import Registry
from agent.settings import Settings, load_settings
from agent.storage.store import Store
from training import worker
from training.run_record import RunRecord, begin, interrupted
from training.watch import Watch
from training.worker import LearnOptions, learn_once


@pytest.fixture
def settings() -> Settings:
    return load_settings(environ={})


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    return await Store.open("embedded:", tmp_path)


def published(root: Path, **manifest: object) -> str:
    registry = Registry(root)
    folder = registry.temporary()
    (folder / "weights").write_text(str(manifest))
    return registry.publish(folder, manifest).id


@pytest.fixture
def champion(tmp_path: Path) -> str:
    name = published(tmp_path)
    Registry(tmp_path).promote(name)
    return name


def test_a_second_worker_of_the_project_is_refused(tmp_path: Path, settings: Settings) -> None:
    with (
        Watch(tmp_path, settings, "run-1"),
        pytest.raises(AgentError, match="another process is learning"),
        Watch(tmp_path, settings, "run-2"),
    ):
        pass


def test_after_a_run_the_lock_is_free_again(tmp_path: Path, settings: Settings) -> None:
    with Watch(tmp_path, settings, "run-1"):
        pass
    with Watch(tmp_path, settings, "run-2") as watch:
        watch.check()


def test_a_run_that_was_killed_is_taken_up_with_the_same_corrections(
    tmp_path: Path, champion: str
) -> None:
    before = begin(tmp_path, RunRecord(champion, ("c1",), seed=5))
    accepted = [Correction("t", "intent", "ann", id=one, intent="pay") for one in ("c1", "c2")]
    again = worker._run(tmp_path, accepted, LearnOptions())
    assert again == before == interrupted(tmp_path)
    assert [one.id for one in again.of(accepted)] == ["c1"]


def test_a_killed_run_is_given_up_when_another_model_serves(tmp_path: Path, champion: str) -> None:
    begin(tmp_path, RunRecord("older", ("c1",), seed=5))
    assert worker._run(tmp_path, [], LearnOptions()).champion == champion


def test_a_run_killed_between_publishing_and_promotion_promotes_its_winner(
    tmp_path: Path, champion: str, settings: Settings
) -> None:
    run = begin(tmp_path, RunRecord(champion, (), seed=5))
    gate = {"decision": "promoted", "reason": "better"}
    winner = published(tmp_path, run=run.id, gate=gate)
    result = learn_once(tmp_path, settings, LearnOptions())
    assert (result.decision, Registry(tmp_path).production_id()) == ("promoted", winner)
    assert interrupted(tmp_path) is None


async def test_a_finished_run_is_kept_once_and_newest_first(store: Store) -> None:
    assert await store.learning.record({"id": "r1", "decision": "kept"})
    assert not await store.learning.record({"id": "r1", "decision": "kept"})
    await store.learning.record({"id": "r2", "decision": "promoted"})
    assert [run["id"] for run in await store.learning.runs()] == ["r2", "r1"]
    await store.close()


async def test_a_cycle_that_failed_stands_in_the_history_with_its_reason(
    store: Store, tmp_path: Path, settings: Settings
) -> None:
    await asyncio.to_thread(
        worker._tell_failure, tmp_path, settings, AgentError("the disk is full")
    )
    (run,) = await store.learning.runs()
    assert (run["decision"], run["reason"]) == ("failed", "the disk is full")
    await store.close()


async def test_many_requests_to_learn_are_one(store: Store) -> None:
    await store.learning.request("ann")
    await store.learning.request("bob")
    assert await store.learning.requested() == "bob"
    assert await store.learning.requested() is None
    await store.close()


async def test_a_worker_shows_that_it_lives_and_how_far_it_is(store: Store) -> None:
    assert not await store.learning.worker_alive()
    await store.learning.beat({"id": "r1", "done": 0.5})
    assert await store.learning.worker_alive()
    assert (await store.learning.now() or {})["done"] == 0.5
    await store.close()
