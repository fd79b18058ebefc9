import errno
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.errors import AgentError
from agent.feedback.correction import Correction, Prediction
from agent.project import load_project
from agent.project.types import NluData
from agent.registry import Registry
from agent.turn import now
from tests.shop import write_shop
from training.curate import Curated
from training.cycle import Workbench, run_cycle
from training.examine import Examination
from training.promote import Evidence


def train(nlu: NluData, folder: Path, champion: Path) -> Mapping[str, Any]:
    (folder / "understanding.onnx").write_text(f"on from {champion.name}")
    return {"examples": len(nlu.examples)}


def examine(folder: Path, curated: Curated) -> Examination:
    new = not (folder / "manifest.json").exists()
    return Examination(Evidence(taught=[new] * len(curated.examples)), frozenset({"c0"}))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    root = write_shop(tmp_path / "shop")
    registry = Registry(root)
    folder = registry.temporary()
    (folder / "understanding.onnx").write_text("first")
    registry.promote(registry.publish(folder, {}).id)
    return Workbench(load_project(root), registry, train, examine)


def corrections(count: int) -> list[Correction]:
    return [
        Correction(
            f"where is parcel {n}",
            "intent",
            "ann",
            id=f"c{n}",
            turn_id=f"t{n}",
            intent="order_status",
            predicted=Prediction("greet", 0.5),
            state="accepted",
        )
        for n in range(count)
    ]


def test_a_winner_serves_and_says_what_it_was_made_of(bench: Workbench) -> None:
    before = bench.registry.production_id()
    result = run_cycle(bench, corrections(2))
    serving = bench.registry.production()
    assert serving is not None
    assert (result.decision, serving.id) == ("promoted", result.challenger["id"])
    assert serving.manifest["parent"] == before
    assert serving.manifest["corrections"] == ["c0", "c1"]
    lineage = (serving.path / "lineage.json").read_text()
    assert '"turn": "t1"' in lineage


def test_corrections_that_were_judged_before_make_no_cycle(bench: Workbench) -> None:
    run_cycle(bench, corrections(2))
    assert run_cycle(bench, corrections(2)).decision == "nothing to learn"
    assert run_cycle(bench, corrections(3)).corrections == 1


def test_a_correction_that_was_amended_is_learned_anew(bench: Workbench) -> None:
    run_cycle(bench, corrections(2))
    first, second = corrections(2)
    amended = [first, replace(second, intent="greet")]
    assert run_cycle(bench, amended).corrections == 1
    assert run_cycle(bench, amended).decision == "nothing to learn"


def test_a_model_promoted_by_hand_meanwhile_stays(bench: Workbench) -> None:
    def slow(nlu: NluData, folder: Path, champion: Path) -> Mapping[str, Any]:
        other = bench.registry.temporary()
        (other / "understanding.onnx").write_text("by hand")
        bench.registry.promote(bench.registry.publish(other, {}).id, by="ann")
        return train(nlu, folder, champion)

    result = run_cycle(replace(bench, train=slow), corrections(2))
    assert result.decision == "kept"
    assert "serves by now" in result.reason
    assert bench.registry.history()[-1].by == "ann"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), AgentError("no")])
def test_a_failed_training_leaves_the_champion_and_nothing_else(
    bench: Workbench, error: Exception
) -> None:
    def fail(nlu: NluData, folder: Path, champion: Path) -> Mapping[str, Any]:
        train(nlu, folder, champion)
        raise error

    before = bench.registry.production_id()
    with pytest.raises(type(error)):
        run_cycle(replace(bench, train=fail), corrections(2))
    assert bench.registry.production_id() == before
    assert len(list(bench.registry.folder.glob(".new-*"))) == 0


def test_doubtful_corrections_are_named_and_not_taught(bench: Workbench) -> None:
    seen: list[int] = []

    def count(nlu: NluData, folder: Path, champion: Path) -> Mapping[str, Any]:
        seen.append(sum(e.source.startswith("correction:") for e in nlu.examples))
        return train(nlu, folder, champion)

    doubting = replace(bench, train=count, doubt=lambda _: {"c1": "it is doubtful"})
    result = run_cycle(doubting, corrections(3))
    assert seen == [2]
    assert result.doubtful == {"c1": "it is doubtful"}


def test_a_clock_that_jumps_back_confuses_neither_the_models_nor_the_way_back(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.registry.production_id()
    run_cycle(bench, corrections(2))
    second = bench.registry.production_id()
    monkeypatch.setattr("agent.registry.now", lambda: now() - timedelta(days=400))
    result = run_cycle(bench, corrections(3))
    third = bench.registry.production_id()
    assert (result.decision, third) == ("promoted", result.challenger["id"])
    assert len({first, second, third}) == 3
    bench.registry.rollback(by="ann")
    assert bench.registry.production_id() == second
    assert run_cycle(bench, corrections(3)).decision == "nothing to learn"
