import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import pytest

from agent.documents import _index, keep_indexed
from agent.settings import KnowledgeSettings, load_settings
from knowledge.open_project import sync_project
from knowledge.options import KnowledgeOptions
from tests.knowledge.fake_encoder import FakeEncoder


def options(**changes: object) -> KnowledgeSettings:
    return load_settings(environ={}).knowledge.model_copy(update={"watch_s": 0.01, **changes})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "fees.md").write_text("Two euros.")
    return tmp_path


class Indexer:
    """Indexes with an encoder without a model, and says so."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.calls, self.done = fails, 0, asyncio.Event()

    async def __call__(self, root: Path) -> bool:
        self.calls += 1
        if not self.fails:
            sync_project(root, KnowledgeOptions(), FakeEncoder())
        self.done.set()
        return not self.fails


async def watch(root: Path, indexer: Indexer, rounds: int, **changes: object) -> asyncio.Task[None]:
    task = asyncio.create_task(keep_indexed(root, options(**changes), indexer))
    for _ in range(rounds):
        await asyncio.wait_for(indexer.done.wait(), 20)
        indexer.done.clear()
    return task


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_missing_index_is_made_and_then_changes_only_are_indexed(project: Path) -> None:
    indexer = Indexer()
    task = await watch(project, indexer, 1)
    await asyncio.sleep(0.3)
    assert indexer.calls == 1
    (project / "knowledge" / "hours.md").write_text("At nine.")
    await asyncio.wait_for(indexer.done.wait(), 20)
    await stop(task)
    assert indexer.calls == 2


async def test_an_index_of_another_encoder_is_made_again_once(project: Path) -> None:
    sync_project(project, KnowledgeOptions(), FakeEncoder())
    indexer = Indexer()
    task = await watch(project, indexer, 1)
    await asyncio.sleep(0.3)
    await stop(task)
    assert indexer.calls == 1
    same = Indexer()
    task = await watch(project, same, 0, encoder="fake")
    await asyncio.sleep(0.3)
    await stop(task)
    assert same.calls == 0


async def test_an_indexing_that_fails_is_not_tried_at_every_look(project: Path) -> None:
    indexer = Indexer(fails=True)
    task = await watch(project, indexer, 1, watch_s=0.1)
    await asyncio.sleep(0.5)
    await stop(task)
    assert indexer.calls == 1


@pytest.mark.parametrize("changes", [{"watch_s": 0.0}, {"folder": "gone"}])
async def test_without_documents_or_a_wish_nothing_is_watched(
    project: Path, changes: dict[str, object]
) -> None:
    if changes.pop("folder", None):
        (project / "knowledge" / "fees.md").unlink()
        (project / "knowledge").rmdir()
    indexer = Indexer()
    await asyncio.wait_for(keep_indexed(project, options(**changes), indexer), 5)
    assert indexer.calls == 0


async def test_the_child_that_indexes_reports_what_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert not await _index(tmp_path / "nowhere")
    assert "no such folder" in caplog.text
