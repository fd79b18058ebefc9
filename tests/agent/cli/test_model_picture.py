from pathlib import Path

from agent.cli.model_picture import accuracies, picture
from agent.registry import ModelVersion, State


def version(name: str, value: float | None, state: State = "retired") -> ModelVersion:
    report = {} if value is None else {"intent": {"accuracy": value}}
    return ModelVersion(name, Path(), state, report=report)


def test_versions_are_drawn_oldest_first_the_better_the_longer() -> None:
    drawn = picture([version("b", 0.9, "production"), version("a", 0.8), version("c", None)])
    lines = drawn.plain.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["a", "b"]
    assert lines[0].count("█") < lines[1].count("█")


def test_a_difference_of_chance_does_not_look_large() -> None:
    lines = picture([version("a", 0.914), version("b", 0.916)]).plain.splitlines()
    assert "bars from 0.80" in lines[0]
    assert lines[2].count("█") - lines[1].count("█") <= 1


def test_models_that_are_never_right_have_bars_all_the_same() -> None:
    assert picture([version("a", 0.0), version("b", 0.0)]).plain.count("█") >= 2


def test_a_single_version_is_no_picture() -> None:
    assert picture([version("a", 0.8)]).plain == ""


def test_what_a_gate_measured_counts_for_both_models_before_the_trainings_reports() -> None:
    gate = {"gate": {"challenger": {"frozen_accuracy": 0.8}, "champion": {"frozen_accuracy": 0.7}}}
    parent = version("a", 0.99)
    found = ModelVersion("b", Path(), "candidate", parent="a", manifest=gate)
    assert accuracies([parent, found]) == {"a": 0.7, "b": 0.8}
