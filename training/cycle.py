"""run_cycle: accepted corrections in, a better model in production, or a reason why not."""

import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.errors import ModelError
from agent.feedback.correction import Correction
from agent.feedback.names import NO_NAMES, NameLabels
from agent.project.types import Example, NluData, Project
from agent.registry import ModelVersion, Registry
from training.curate import Curated, correction_ids, curate
from training.examine import Examination
from training.promote import Verdict, judge

Decision = Literal["promoted", "kept", "nothing to learn"]
# Trains a model of the project on this data into a folder, starting from the champion's;
# answers what the manifest shall say.
Train = Callable[[NluData, Path, Path], Mapping[str, Any]]
# Measures a model folder on the frozen tests and on the corrections.
Examine = Callable[[Path, Curated], Examination]
# Names the corrections, by id, that are probably wrong, and why.
Doubt = Callable[[Curated], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What a cycle decided and the figures of both models; the shape of `agent learn --json`."""

    decision: Decision
    reason: str
    corrections: int = 0
    champion: Mapping[str, Any] = field(default_factory=dict)
    challenger: Mapping[str, Any] = field(default_factory=dict)
    regressions: Mapping[str, int] = field(default_factory=dict)
    doubtful: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a cycle works with.

    `held_out` is the share of corrections in [0, 1) that only judge, `tolerance` the accuracy
    that may be lost on the frozen tests, `min_corrections` how many new ones make a cycle;
    `doubt` finds corrections that nobody should be taught; `run` names the run in manifests;
    `names` are the entities that are names of people.
    """

    project: Project
    registry: Registry
    train: Train
    examine: Examine
    held_out: float = 0.2
    tolerance: float = 0.005
    min_corrections: int = 1
    doubt: Doubt = lambda _: {}
    run: str = ""
    names: NameLabels = NO_NAMES


def run_cycle(bench: Workbench, accepted: Sequence[Correction]) -> CycleResult:
    """Corrections → examples (replay mixed in) → challenger → Report → promoted ModelVersion.

    The champion serves on whatever happens here: a challenger is built beside it, measured
    against it without the correction memory, and takes over only if the gate lets it.

    Raises:
        ModelError: there is no model to improve on.
    """
    champion = bench.registry.production()
    if champion is None:
        raise ModelError("there is no model in production: run `agent train` first")
    curated = _curate(bench, accepted)
    fresh = _fresh(curated, bench.registry.versions())
    if len(fresh) < bench.min_corrections:
        reason = f"{len(fresh)} new corrections, {bench.min_corrections} make a cycle"
        return CycleResult("nothing to learn", reason, len(fresh), doubtful=_doubted(curated))
    folder = bench.registry.temporary()
    try:
        manifest = bench.train(curated.mixed_with(bench.project.nlu), folder, champion.path)
        before = bench.examine(champion.path, curated)
        after = bench.examine(folder, curated)
        verdict = judge(before.evidence, after.evidence, tolerance=bench.tolerance)
        _write_lineage(folder, curated)
        about = _manifest(champion, curated, before, after, verdict)
        about["run"] = bench.run
        challenger = bench.registry.publish(folder, {**manifest, **about})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    decision, reason = _enthrone(bench.registry, champion, challenger, verdict)
    return CycleResult(
        decision,
        reason,
        len(fresh),
        {"id": champion.id, **before.evidence.figures()},
        {"id": challenger.id, **after.evidence.figures()},
        verdict.regressions,
        _doubted(curated),
    )


def _doubted(curated: Curated) -> dict[str, str]:
    return {one: why for one, why in curated.skipped.items() if "doubtful" in why}


def _curate(bench: Workbench, accepted: Sequence[Correction]) -> Curated:
    """The corrections as examples, without those that are doubtful."""
    nlu, names = bench.project.nlu, bench.names
    curated = curate(accepted, nlu, held_out=bench.held_out, names=names)
    doubtful = bench.doubt(curated)
    if not doubtful:
        return curated
    return curate(accepted, nlu, held_out=bench.held_out, doubtful=doubtful, names=names)


def _enthrone(
    registry: Registry, champion: ModelVersion, challenger: ModelVersion, verdict: Verdict
) -> tuple[Decision, str]:
    """Promote a challenger that won, unless another model has come to serve meanwhile."""
    if verdict.decision != "promoted":
        return verdict.decision, verdict.reason
    try:
        registry.promote(
            challenger.id, by="agent learn", reason=verdict.reason, expected=champion.id
        )
    except ModelError as error:
        return "kept", f"it won, but {error}"
    return "promoted", verdict.reason


def _fresh(curated: Curated, versions: Collection[ModelVersion]) -> set[str]:
    """The corrections that no earlier cycle, promoted or not, has judged as they are now."""
    judged: set[tuple[str, str | None]] = set()
    for version in versions:
        contents = version.manifest.get("contents") or {}
        judged.update((one, contents.get(one)) for one in version.manifest.get("corrections", ()))
    return {
        one
        for one in correction_ids(curated.all)
        if not judged & {(one, None), (one, curated.corrections[one].content)}
    }


def _manifest(
    champion: ModelVersion,
    curated: Curated,
    before: Examination,
    after: Examination,
    verdict: Verdict,
) -> dict[str, Any]:
    """What the challenger's manifest says of its making."""
    return {
        "parent": champion.id,
        "corrections": sorted(correction_ids(curated.all)),
        "contents": {one: c.content for one, c in _used(curated).items()},
        "learned": sorted(after.learned),
        "gate": {
            "decision": verdict.decision,
            "reason": verdict.reason,
            "regressions": dict(verdict.regressions),
            "gain": asdict(verdict.gain) if verdict.gain else None,
            "champion": before.evidence.figures(),
            "challenger": after.evidence.figures(),
        },
    }


def _used(curated: Curated) -> dict[str, Correction]:
    """The corrections that an example comes from."""
    return {one: curated.corrections[one] for one in sorted(correction_ids(curated.all))}


def _write_lineage(folder: Path, curated: Curated) -> None:
    """Which correction each new example comes from, and what was left out and why."""
    lineage = {
        "format": 1,
        "examples": [_line(e, curated) for e in curated.examples],
        "held_out": [_line(e, curated) for e in curated.held_out],
        "drawn": [_line(e, curated) for e in curated.drawn],
        "overruled": [{"text": e.text, "intent": e.intent} for e in curated.overruled],
        "clashes": [asdict(clash) for clash in curated.clashes],
        "skipped": curated.skipped,
    }
    text = json.dumps(lineage, ensure_ascii=False, indent=1)
    (folder / "lineage.json").write_text(text + "\n", encoding="utf-8")


def _line(example: Example, curated: Curated) -> dict[str, Any]:
    """An example with the correction and the turn that it comes from."""
    correction = curated.corrections[example.source.removeprefix("correction:")]
    return {
        "text": example.text,
        "intent": example.intent,
        "weight": round(example.weight, 4),
        "source": example.source,
        "turn": correction.turn_id,
        "author": correction.author,
        "reviewer": correction.reviewer,
    }
