"""run_cycle: accepted corrections in, a better model in production, or a reason why not."""

import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.errors import ModelError
from agent.feedback.correction import Correction
from agent.project.types import NluData, Project
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


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What a cycle decided and the figures of both models; the shape of `agent learn --json`."""

    decision: Decision
    reason: str
    corrections: int = 0
    champion: Mapping[str, Any] = field(default_factory=dict)
    challenger: Mapping[str, Any] = field(default_factory=dict)
    regressions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a cycle works with.

    `held_out` is the share of corrections in [0, 1) that only judge, `tolerance` the accuracy
    that may be lost on the frozen tests, `min_corrections` how many new ones make a cycle.
    """

    project: Project
    registry: Registry
    train: Train
    examine: Examine
    held_out: float = 0.2
    tolerance: float = 0.005
    min_corrections: int = 1


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
    curated = curate(accepted, bench.project.nlu, held_out=bench.held_out)
    fresh = _fresh(curated, bench.registry.versions())
    if len(fresh) < bench.min_corrections:
        reason = f"{len(fresh)} new corrections, {bench.min_corrections} make a cycle"
        return CycleResult("nothing to learn", reason, len(fresh))
    folder = bench.registry.temporary()
    try:
        manifest = bench.train(curated.mixed_with(bench.project.nlu), folder, champion.path)
        before = bench.examine(champion.path, curated)
        after = bench.examine(folder, curated)
        verdict = judge(before.evidence, after.evidence, tolerance=bench.tolerance)
        _write_lineage(folder, curated)
        about = _manifest(champion, curated, before, after, verdict)
        challenger = bench.registry.publish(folder, {**manifest, **about})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if verdict.decision == "promoted":
        bench.registry.promote(challenger.id, by="agent learn", reason=verdict.reason)
    return CycleResult(
        verdict.decision,
        verdict.reason,
        len(fresh),
        {"id": champion.id, **before.evidence.figures()},
        {"id": challenger.id, **after.evidence.figures()},
        verdict.regressions,
    )


def learned_corrections(version: ModelVersion) -> frozenset[str]:
    """The corrections that a model gets right by itself, so that the memory may drop them."""
    return frozenset(version.manifest.get("learned", ()))


def _fresh(curated: Curated, versions: Collection[ModelVersion]) -> set[str]:
    """The corrections that no earlier cycle, promoted or not, has judged."""
    judged: set[str] = set()
    for version in versions:
        judged.update(version.manifest.get("corrections", ()))
    return set(correction_ids((*curated.examples, *curated.held_out))) - judged


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
        "corrections": sorted(correction_ids((*curated.examples, *curated.held_out))),
        "learned": sorted(after.learned),
        "gate": {
            "decision": verdict.decision,
            "reason": verdict.reason,
            "regressions": dict(verdict.regressions),
            "champion": before.evidence.figures(),
            "challenger": after.evidence.figures(),
        },
    }


def _write_lineage(folder: Path, curated: Curated) -> None:
    """Which correction each new example comes from, and what was left out and why."""
    lineage = {
        "format": 1,
        "examples": [
            {"text": e.text, "intent": e.intent, "source": e.source} for e in curated.examples
        ],
        "held_out": [
            {"text": e.text, "intent": e.intent, "source": e.source} for e in curated.held_out
        ],
        "overruled": [{"text": e.text, "intent": e.intent} for e in curated.overruled],
        "skipped": curated.skipped,
    }
    text = json.dumps(lineage, ensure_ascii=False, indent=1)
    (folder / "lineage.json").write_text(text + "\n", encoding="utf-8")
