"""What is compared when a model is measured, with a scripted interpreter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.project.types import EntityAnnotation, Example, NluData
from agent.turn import Entity, IntentScore, Understanding
from agent.understanding.interpreter import Interpreter
from training.evaluate import Evaluation, evaluate, join


@dataclass
class Scripted:
    """Answers each text with what was written down for it."""

    answers: dict[str, Understanding]
    model_version: str = "scripted"
    spec: Any = field(
        default_factory=lambda: SimpleNamespace(thresholds=SimpleNamespace(in_scope=0.5))
    )

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        return [self.answers[text] for text in texts]


def heard(text: str, *ranking: tuple[str, float], **more: Any) -> Understanding:
    return Understanding(text, tuple(IntentScore(*score) for score in ranking), **more)


def measure(examples: Sequence[Example], *answers: Understanding) -> Evaluation:
    scripted = Scripted({answer.text: answer for answer in answers})
    return evaluate(cast(Interpreter, scripted), NluData(tuple(examples)))


def test_the_best_in_scope_label_counts_even_behind_the_fallback() -> None:
    answer = heard("hi", ("nlu_fallback", 0.7), ("greet", 0.4), ("bye", 0.1))
    figures = measure([Example("hi", "greet")], answer).figures()
    assert figures["intent"]["accuracy"] == 1.0


def test_messages_without_gold_intent_or_outside_every_intent_are_no_intent_rows() -> None:
    rows = [Example("hi", "greet"), Example("x", None), Example("y", "oos")]
    answers = [heard(t, ("greet", 0.9)) for t in ("hi", "x", "y")]
    assert measure(rows, *answers).figures()["intent"]["n"] == 1


def test_parts_without_gold_are_absent() -> None:
    assert set(measure([Example("hi", "greet")], heard("hi", ("greet", 1.0))).figures()) == {
        "intent"
    }


def test_out_of_scope_is_flagged_by_the_threshold() -> None:
    rows = [Example("hi", "greet"), Example("bye", "bye"), Example("y", "oos")]
    answers = [
        heard("hi", ("greet", 0.9), in_scope=0.9),
        heard("bye", ("bye", 0.9), in_scope=0.4),
        heard("y", ("greet", 0.9), in_scope=0.2),
    ]
    assert measure(rows, *answers).figures()["oos"] == {
        "n": 1,
        "auroc": 1.0,
        "recall": 1.0,
        "precision": 0.5,
        "false_oos": 0.5,
    }


def test_entities_count_by_exact_start_end_and_label() -> None:
    text = "from rome to oslo"
    gold = (EntityAnnotation(5, 9, "city", "rome"), EntityAnnotation(13, 17, "city", "oslo"))
    found = (
        Entity("city", 5, 9, "rome", "Rome", role="from"),
        Entity("place", 13, 17, "oslo", "oslo"),
    )
    evaluation = measure([Example(text, None, gold)], heard(text, entities=found))
    assert evaluation.figures()["entity"] == {"n": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert evaluation.entity_errors == ((text, "city: oslo", "place: oslo"),)
    assert evaluation.entities()["city"].precision == 1.0


def test_errors_stand_most_confident_first() -> None:
    rows = [Example(t, "greet") for t in ("a", "b", "c")]
    answers = [heard("a", ("bye", 0.5)), heard("b", ("bye", 0.9)), heard("c", ("greet", 1.0))]
    assert [e.text for e in measure(rows, *answers).errors()] == ["b", "a"]


def test_further_heads_are_measured() -> None:
    rows = [Example("a", None, labels={"mood": "good"}), Example("b", None, labels={"mood": "bad"})]
    good = {"mood": (IntentScore("good", 0.8), IntentScore("bad", 0.2))}
    figures = measure(rows, heard("a", heads=good), heard("b", heads=good)).figures()
    assert figures["heads"]["mood"]["accuracy"] == 0.5
    assert figures["heads"]["mood"]["macro_f1"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_message_that_got_no_ranking_is_wrong() -> None:
    assert measure([Example("hi", "greet")], heard("hi")).figures()["intent"]["accuracy"] == 0.0


def test_values_that_nobody_annotates_are_not_counted() -> None:
    number = Entity("number", 0, 1, "2", 2, extractor="DucklingEntityExtractor")
    city = Entity("city", 5, 9, "rome", "rome")
    gold = Example("2 to rome", "go", (EntityAnnotation(5, 9, "city", "rome"),))
    answer = heard("2 to rome", ("go", 1.0), entities=(number, city))
    assert measure([gold], answer).figures()["entity"]["precision"] == 1.0
    annotated = Example("2 to rome", "go", (EntityAnnotation(0, 1, "number", "2"),))
    assert measure([annotated], answer).figures()["entity"]["recall"] == 1.0


def test_joined_parts_measure_as_one_even_if_they_rank_other_intents() -> None:
    first = measure([Example("hi", "greet")], heard("hi", ("greet", 0.9), ("bye", 0.1)))
    second = measure([Example("so", "thank")], heard("so", ("thank", 0.7), ("greet", 0.3)))
    joined = join([first, second])
    assert joined.labels == ("bye", "greet", "thank")
    assert joined.probabilities.round(1).tolist() == [
        pytest.approx([0.1, 0.9, 0.0]),
        pytest.approx([0.0, 0.3, 0.7]),
    ]
    assert joined.figures()["intent"] == {
        **joined.figures()["intent"],
        "n": 2,
        "accuracy": 1.0,
    }
