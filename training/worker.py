"""The learning worker: one cycle at a time, once or by the clock, under one lock a project."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.errors import AgentError
from agent.feedback.correction import Correction
from agent.project import load_nlu, load_project
from agent.project.types import NluData, Project
from agent.registry import Registry
from agent.settings import Settings
from agent.storage.files import FileLock
from agent.storage.opening import open_store
from agent.understanding.interpreter import Interpreter
from training.assemble_model import challenger_trainer
from training.curate import Curated
from training.cycle import CycleResult, Workbench, run_cycle
from training.examine import Examination, examine
from training.options import Method, Progress, TrainOptions, silent
from training.story_tests import run_story_tests

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How a worker learns; None takes the project's settings."""

    method: Method | None = None
    min_corrections: int | None = None
    seed: int = 0
    progress: Progress = silent


def learn_once(root: Path, settings: Settings, options: LearnOptions) -> CycleResult:
    """Run one learning cycle on the corrections accepted so far.

    Raises:
        AgentError: another worker is learning, the store is away, or the training failed; the
            model that serves is untouched.
    """
    with _alone(root):
        accepted = asyncio.run(_accepted(root, settings))
        result = run_cycle(_workbench(root, settings, options), accepted)
        if result.decision == "promoted":
            asyncio.run(_announce(root, settings, result))
    return result


def learn_every(
    root: Path,
    settings: Settings,
    options: LearnOptions,
    *,
    period_s: float,
    report: Callable[[CycleResult], None],
) -> None:
    """Run a cycle every `period_s` seconds, for ever; a cycle that fails is told and repeated."""
    while True:
        begun = time.monotonic()
        try:
            report(learn_once(root, settings, options))
        except AgentError as error:
            _log.error("this learning cycle failed: %s", error)
        time.sleep(max(0.0, period_s - (time.monotonic() - begun)))


def frozen_tests(root: Path) -> NluData:
    """The test split that no training sees: the project's `tests/test_nlu.yml`, else nothing."""
    for name in ("tests/test_nlu.yml", "tests/test_nlu.yaml", "tests/test_nlu.jsonl"):
        if (root / name).is_file():
            return load_nlu([root / name])
    return NluData()


def _workbench(root: Path, settings: Settings, options: LearnOptions) -> Workbench:
    project = load_project(root)
    frozen = frozen_tests(root)
    training = TrainOptions(
        method=options.method or settings.learning.method,
        encoder=settings.understanding.encoder,
        seed=options.seed,
        progress=options.progress,
    )

    def measure(folder: Path, curated: Curated) -> Examination:
        return examine(folder, curated, frozen, _story_counter(project))

    return Workbench(
        project=project,
        registry=Registry(root),
        train=challenger_trainer(project, training),
        examine=measure,
        held_out=settings.learning.held_out,
        tolerance=settings.learning.tolerance,
        min_corrections=options.min_corrections or settings.learning.min_corrections,
    )


def _story_counter(project: Project) -> Callable[[Interpreter], int]:
    """How many of the project's test stories fail with an interpreter; 0 where it has none."""
    stories = project.root / "tests"
    if not any(stories.glob("test_stor*.y*ml")):
        return lambda _: 0

    def count(interpreter: Interpreter) -> int:
        files = sorted(stories.glob("test_stor*.y*ml"))
        return run_story_tests(project, files, interpreter.understand).failed

    return count


async def _accepted(root: Path, settings: Settings) -> list[Correction]:
    async with await open_store(root, settings.store) as store:
        await store.drain()
        return await store.corrections("accepted")


async def _announce(root: Path, settings: Settings, result: CycleResult) -> None:
    """Tell the other processes; the pointer on the disk is what counts."""
    try:
        async with await open_store(root, settings.store) as store:
            await store.announce({"action": "promoted", "model": result.challenger["id"]})
    except AgentError as error:
        _log.warning("the promotion could not be announced: %s", error)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the project's learning lock; the kernel drops it when this process ends.

    Raises:
        AgentError: another process holds it.
    """
    folder = root / ".agent"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "learn.lock")
    if not lock.acquire():
        raise AgentError(f"another process is learning for {root}: wait for it to end")
    try:
        yield
    finally:
        lock.release()
