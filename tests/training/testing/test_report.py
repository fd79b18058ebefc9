"""The report of a test: what it says, and that any label can be drawn."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.project.types import Place
from training.evaluate import Evaluation
from training.testing.report import write_test_report


def evaluation(gold: tuple[str, ...], predicted: tuple[str, ...]) -> Evaluation:
    labels = tuple(sorted({*gold, *predicted}))
    probabilities = np.array([[float(p == label) for label in labels] for p in predicted])
    return Evaluation(
        "m",
        0.5,
        texts=tuple(f"text {i} | <b>" for i in range(len(gold))),
        gold=gold,
        predicted=predicted,
        confidences=(0.9,) * len(gold),
        gold_spans=(frozenset(),) * len(gold),
        found_spans=(frozenset(),) * len(gold),
        heads={"mood": (("good", "good"), ("bad", "good"))},
        places=tuple(Place("nlu.yml", i + 1) for i in range(len(gold))),
        labels=labels,
        probabilities=probabilities.astype(np.float32),
    )


def report(found: Evaluation, folder: Path) -> str:
    write_test_report(found, found.figures(), folder)
    return (folder / "report.md").read_text(encoding="utf-8")


def test_a_report_has_labels_errors_and_heads(tmp_path: Path) -> None:
    text = report(evaluation(("a", "a", "b"), ("a", "b", "b")), tmp_path)
    assert "| a | 1.000 | 0.500 | 0.667 | 2 |" in text
    assert r"| text 1 \| &lt;b> | a | b | 0.900 |" in text
    assert "| head mood | accuracy 0.5000" in text
    assert "## Head mood" in text


def test_the_same_stands_in_json(tmp_path: Path) -> None:
    report(evaluation(("a", "a", "b"), ("a", "b", "b")), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert found["confusions"] == [["a", "b", 1]]
    assert found["errors"][0]["place"] == {"path": "nlu.yml", "line": 2}
    assert found["figures"]["intent"]["n"] == 3


def test_messages_that_are_understood_differently_are_listed(tmp_path: Path) -> None:
    found = evaluation(("a", "b"), ("a", "b"))
    outcomes = {"a": ("England", "China"), "nlu_fallback": ("Syria",)}
    robust = {
        "noise": {},
        "fairness": {},
        "differences": [{"kind": "origin", "text": "text 0", "outcomes": outcomes}],
    }
    write_test_report(found, {**found.figures(), "robust": robust}, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| origin | text 0 | a; nlu_fallback for Syria |" in text


@pytest.mark.parametrize("label", ["查询余额", "שלום", "$x$", "😀", "a|b\nc"])
def test_labels_of_any_script_are_drawn(tmp_path: Path, label: str) -> None:
    report(evaluation((label, "b"), (label, label)), tmp_path)
    for name in ("confusion.png", "confidence.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
