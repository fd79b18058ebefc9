"""The learning worker: one cycle at a time, once or by the clock, under one lock a project."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from agent.errors import AgentError
from agent.feedback.correction import Correction
from agent.feedback.drift import tell, watch_drift
from agent.project import load_nlu, load_project
from agent.project.types import NluData, Project
from agent.recommend.catalogue import ITEMS_FILE
from agent.registry import ModelVersion, Registry
from agent.settings import Settings
from agent.storage.opening import open_store
from agent.storage.store import Store
from agent.turn import now
from agent.understanding.interpreter import Interpreter
from training.bounds import Bounds
from training.challenger import challenger_trainer
from training.curate import Curated
from training.cycle import CycleResult, Workbench, run_cycle
from training.doubt import Known, doubtful_among
from training.examine import Examination, examine
from training.options import Method, Progress, TrainOptions, silent
from training.recommender import learn_from_behaviour
from training.run_record import RunRecord, begin, end, folder_of, interrupted
from training.testing.story_tests import run_story_tests
from training.watch import Watch, alone

_LOOK_S = 2.0
_DRIFT_S, _AGAIN_S = 3600.0, 60.0
# Of the budget, for fine-tuning; the rest is for measuring.
_TRAINING_SHARE = 0.7
T = TypeVar("T")
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

    A run that was killed is taken up again: with the same corrections, from its checkpoints.

    Raises:
        AgentError: another worker is learning, the store is away, or the training failed; the
            model that serves is untouched.
    """
    with alone(root):
        accepted = _with_store(root, settings, _accepted)
        run = _run(root, accepted, options)
        with Watch(root, settings, run.id) as watch:
            finished = _finished_before(root, run)
            if finished is None:
                try:
                    finished = _learn(root, settings, options, run, run.of(accepted), watch)
                except (OSError, MemoryError) as error:
                    why = str(error) or "the memory is full"
                    raise AgentError(f"this run failed: {why}; it goes on next time") from error
            _publish(root, settings, run, finished)
        end(root)
    return finished


def learn_every(
    root: Path,
    settings: Settings,
    options: LearnOptions,
    *,
    period_s: float,
    report: Callable[[CycleResult], None],
    wait_first: bool = False,
) -> None:
    """Run a cycle every `period_s` seconds, and when somebody asks for one, for ever.

    A cycle that fails is told and repeated in its time. A project with items to suggest learns
    from behaviour in the same round.
    """
    due = time.monotonic() + (period_s if wait_first else 0.0)
    drift_due = time.monotonic()
    while True:
        with Watch(root, settings):
            while time.monotonic() < due and not _asked(root, settings):
                if time.monotonic() >= drift_due:
                    done = _look_for_drift(root, settings)
                    drift_due = time.monotonic() + (_DRIFT_S if done else _AGAIN_S)
                time.sleep(min(_LOOK_S, max(0.0, due - time.monotonic())))
        due = time.monotonic() + period_s
        try:
            report(learn_once(root, settings, options))
        except AgentError as error:
            _log.error("this learning cycle failed: %s", error)
            _tell_failure(root, settings, error)
        _learn_to_suggest(root, settings)


def frozen_tests(root: Path) -> NluData:
    """The test split that no training sees: the project's `tests/test_nlu.yml`, else nothing."""
    for name in ("tests/test_nlu.yml", "tests/test_nlu.yaml", "tests/test_nlu.jsonl"):
        if (root / name).is_file():
            return load_nlu([root / name])
    return NluData()


def _run(root: Path, accepted: Sequence[Correction], options: LearnOptions) -> RunRecord:
    """The run that was killed, if its model still serves; else a new one."""
    serving = Registry(root).production_id() or ""
    before = interrupted(root)
    if before is not None and (before.champion == serving or _made_by(root, before.id)):
        _log.warning("going on with the run of %s", before.started_at)
        return before
    return begin(root, RunRecord(serving, tuple(one.id for one in accepted), options.seed))


def _made_by(root: Path, run_id: str) -> ModelVersion | None:
    """The model that a run has published."""
    versions = Registry(root).versions()
    return next((one for one in versions if one.manifest.get("run") == run_id), None)


def _finished_before(root: Path, run: RunRecord) -> CycleResult | None:
    """What a run that was killed after it had published its model came to."""
    made = _made_by(root, run.id)
    if made is None:
        return None
    registry, gate = Registry(root), made.manifest.get("gate", {})
    decision, reason = gate.get("decision", "kept"), gate.get("reason", "")
    if decision == "promoted" and registry.production_id() == run.champion:
        registry.promote(made.id, by="agent learn", reason=reason, expected=run.champion)
    return CycleResult(
        decision,
        reason,
        len(run.corrections),
        {"id": run.champion, **gate.get("champion", {})},
        {"id": made.id, **gate.get("challenger", {})},
        gate.get("regressions", {}),
    )


def _learn(
    root: Path,
    settings: Settings,
    options: LearnOptions,
    run: RunRecord,
    accepted: Sequence[Correction],
    watch: Watch,
) -> CycleResult:
    learning = settings.learning
    bounds = Bounds(learning.budget_minutes, learning.memory_mb)

    def told(done: float, text: str) -> None:
        watch.check()
        bounds.check()
        watch.progress(done, text)
        options.progress(done, text)

    told_options = replace(options, progress=told, seed=run.seed)
    bench = _workbench(root, settings, told_options, run.id, bounds.after(_TRAINING_SHARE))
    result = run_cycle(bench, accepted)
    watch.check()
    return result


def _workbench(
    root: Path, settings: Settings, options: LearnOptions, run_id: str, deadline: float
) -> Workbench:
    project = load_project(root)
    frozen = frozen_tests(root)
    learning = settings.learning
    training = TrainOptions(
        method=options.method or learning.method,
        encoder=settings.understanding.encoder,
        seed=options.seed,
        progress=options.progress,
        checkpoints=folder_of(root) / "checkpoints",
        deadline=deadline,
    )

    def measure(folder: Path, curated: Curated) -> Examination:
        count = _story_counter(project)
        memory, names = settings.memory, settings.feedback.names
        return examine(folder, curated, frozen, count, memory=memory, names=names)

    return Workbench(
        project=project,
        registry=Registry(root),
        train=challenger_trainer(project, training, replay=learning.replay),
        examine=measure,
        held_out=learning.held_out,
        tolerance=learning.tolerance,
        min_corrections=options.min_corrections or learning.min_corrections,
        doubt=lambda curated: _doubt(root, curated),
        run=run_id,
        names=settings.feedback.names,
    )


def _doubt(root: Path, curated: Curated) -> Mapping[str, str]:
    """The doubtful corrections, as the serving model's network sees them."""
    version = Registry(root).production()
    if version is None:
        return {}
    network = Interpreter.load(version.path).network
    named = network.examples.intents != ""
    known = Known(
        network.examples.vectors[named], [str(n) for n in network.examples.intents[named]]
    )
    judged = (*curated.examples, *curated.held_out)
    return doubtful_among(curated.corrections, judged, known, network.encode)


def _story_counter(project: Project) -> Callable[[Interpreter], int]:
    """How many of the project's test stories fail with an interpreter; 0 where it has none."""
    stories = project.root / "tests"
    if not any(stories.glob("test_stor*.y*ml")):
        return lambda _: 0

    def count(interpreter: Interpreter) -> int:
        files = sorted(stories.glob("test_stor*.y*ml"))
        return run_story_tests(project, files, interpreter.understand).failed

    return count


def _publish(root: Path, settings: Settings, run: RunRecord, result: CycleResult) -> None:
    """Keep the run's history and tell the other processes; the pointer on the disk counts."""

    async def tell(store: Store) -> None:
        kept = {"id": run.id, "started_at": run.started_at, "ended_at": now().isoformat()}
        if await store.learning.record({**kept, **asdict(result)}) and _new_model(result):
            await store.announce({"action": "promoted", "model": result.challenger["id"]})

    try:
        _with_store(root, settings, tell)
    except AgentError as error:
        _log.warning("the run could not be recorded: %s", error)


def _tell_failure(root: Path, settings: Settings, error: AgentError) -> None:
    """Let people see in the history that a cycle came to nothing, and why."""
    ended = now().isoformat()
    run = {"id": f"failed-{ended}", "ended_at": ended, "decision": "failed", "reason": str(error)}
    try:
        _with_store(root, settings, lambda store: store.learning.record(run))
    except AgentError as away:
        _log.warning("the failure could not be recorded: %s", away)


def _new_model(result: CycleResult) -> bool:
    return result.decision == "promoted"


async def _accepted(store: Store) -> list[Correction]:
    await store.drain()
    return await store.corrections("accepted")


def _asked(root: Path, settings: Settings) -> bool:
    """Whether somebody asked to learn now."""
    try:
        by = _with_store(root, settings, lambda store: store.learning.requested())
    except AgentError as error:
        _log.warning("requests are not seen: %s", error)
        return False
    if by:
        _log.info("%s asked to learn now", by)
    return by is not None


def _learn_to_suggest(root: Path, settings: Settings) -> None:
    """Learn what to suggest, where the project has items."""
    if not (root / ITEMS_FILE).is_file():
        return
    try:
        done = learn_from_behaviour(root, settings)
    except AgentError as error:
        _log.error("suggesting was not learned: %s", error)
        return
    _log.info("suggesting: %s, %s", done.decision, done.reason)


def _look_for_drift(root: Path, settings: Settings) -> bool:
    """Compare yesterday's counts with the weeks before; False: to be done again soon."""

    async def look(store: Store) -> bool:
        await watch_drift(store)
        return await tell(store, settings.monitor)

    try:
        return _with_store(root, settings, look)
    except AgentError as error:
        _log.warning("drift was not looked for: %s", error)
        return False


def _with_store(root: Path, settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with await open_store(root, settings.store) as store:
            return await work(store)

    return asyncio.run(run())
