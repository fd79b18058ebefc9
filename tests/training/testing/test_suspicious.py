"""Labels that were planted wrong are found, and right ones are left alone."""

import numpy as np
import pytest

from agent.project.types import Place
from training.evaluate import Evaluation
from training.testing.suspicious import as_rows, find_suspicious

LABELS = ("bye", "greet", "help")


def evaluation(rows: list[tuple[str, str, tuple[float, float, float]]]) -> Evaluation:
    return Evaluation(
        model="m",
        threshold=0.5,
        texts=tuple(text for text, _, _ in rows),
        gold=tuple(gold for _, gold, _ in rows),
        labels=LABELS,
        places=tuple(Place("nlu.yml", n) for n in range(1, len(rows) + 1)),
        probabilities=np.array([values for _, _, values in rows], dtype=np.float32),
    )


GOOD: list[tuple[str, str, tuple[float, float, float]]] = [
    *((f"hello {i}", "greet", (0.1, 0.8, 0.1)) for i in range(5)),
    *((f"bye {i}", "bye", (0.8, 0.1, 0.1)) for i in range(5)),
    *((f"help {i}", "help", (0.1, 0.2, 0.7)) for i in range(5)),
]


def test_planted_labels_are_found_worst_first_with_what_fits_better() -> None:
    planted = [("see you", "greet", (0.85, 0.1, 0.05)), ("hey", "bye", (0.05, 0.93, 0.02))]
    found = find_suspicious(evaluation([*GOOD, *planted]))
    assert [(one.text, one.label, one.suggested) for one in found] == [
        ("hey", "bye", "greet"),
        ("see you", "greet", "bye"),
    ]
    assert found[0].margin == pytest.approx(-0.88)
    assert as_rows(found)[0]["line"] == 17


def test_a_message_that_no_intent_fits_well_is_not_suspicious() -> None:
    assert find_suspicious(evaluation([*GOOD, ("hm", "bye", (0.3, 0.36, 0.34))])) == []


def test_right_labels_are_left_alone() -> None:
    assert find_suspicious(evaluation(GOOD)) == []


def test_an_intent_with_few_examples_takes_nothing_over() -> None:
    rows = [row for row in GOOD if row[1] != "help"]
    rows += [("help", "help", (0.1, 0.1, 0.8)), ("aid", "greet", (0.0, 0.1, 0.9))]
    assert find_suspicious(evaluation(rows)) == []


def test_without_intents_nothing_is_suspicious() -> None:
    assert find_suspicious(Evaluation("m", 0.5)) == []
