"""The files of `rasa test nlu`, against scikit-learn's report, whose shape they have."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import classification_report

from agent.project.types import Place
from training.evaluate import Evaluation
from training.testing.rasa_files import write_rasa_files

GOLD = ("a", "a", "a", "b", "b", "accuracy")
PREDICTED = ("a", "b", "accuracy", "b", "a", "c")
FOUND = Evaluation(
    "m",
    0.5,
    texts=tuple(f"text {i}" for i in range(6)),
    gold=GOLD,
    predicted=PREDICTED,
    confidences=(0.9, 0.8, 0.7, 0.6, 0.5, 0.4),
    places=(Place("nlu.yml", 1),) * 6,
)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_the_intent_report_has_scikit_learns_figures(tmp_path: Path) -> None:
    gold, predicted = ("a", "a", "a", "b", "b", "d"), ("a", "b", "d", "b", "a", "c")
    write_rasa_files(replace(FOUND, gold=gold, predicted=predicted), tmp_path)
    report = read(tmp_path, "intent_report.json")
    expected = classification_report(gold, predicted, output_dict=True, zero_division=0)
    assert report.pop("accuracy") == pytest.approx(expected.pop("accuracy"), abs=1e-6)
    assert report.keys() == expected.keys()
    for name, row in expected.items():
        assert report[name].items() >= {k: pytest.approx(v) for k, v in row.items()}.items()


def test_an_intent_names_those_that_it_was_taken_for(tmp_path: Path) -> None:
    write_rasa_files(FOUND, tmp_path)
    report = read(tmp_path, "intent_report.json")
    assert report["a"]["confused_with"] == {"accuracy": 1, "b": 1}
    assert report["c"]["support"] == 0


def test_errors_stand_in_rasas_shape_the_surest_first(tmp_path: Path) -> None:
    write_rasa_files(FOUND, tmp_path)
    errors = read(tmp_path, "intent_errors.json")
    assert len(errors) == 4
    assert [row["text"] for row in read(tmp_path, "intent_successes.json")] == ["text 0", "text 3"]
    assert errors[0] == {
        "text": "text 1",
        "intent": "a",
        "intent_prediction": {"name": "b", "confidence": 0.8},
    }


def test_entities_have_a_report_of_their_own_where_there_are_any(tmp_path: Path) -> None:
    write_rasa_files(FOUND, tmp_path)
    assert not (tmp_path / "entity_report.json").exists()
    spans = (frozenset({(0, 4, "city")}),)
    other = (frozenset({(0, 4, "city"), (5, 6, "day")}),)
    write_rasa_files(Evaluation("m", 0.5, gold_spans=spans, found_spans=other), tmp_path)
    report = read(tmp_path, "entity_report.json")
    assert report["city"]["f1-score"] == 1.0
    assert report["micro avg"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1-score": pytest.approx(2 / 3, abs=1e-6),
        "support": 1,
    }
