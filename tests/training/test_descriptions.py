"""Intents by description: ranked at once, and out of the way once examples are there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.project.types import Domain, Example, Intent, NluData
from agent.understanding.interpreter import Interpreter
from tests.training.tiny import examples
from training.corpus import folds, hold_out, read_corpus
from training.descriptions import (
    ENOUGH,
    SOURCE,
    description_examples,
    with_descriptions,
    without_frame,
)
from training.finetune import train_understanding
from training.options import TrainOptions
from training.testing.cross_validate import cross_validate

WEATHER = {"weather": {"description": "the user asks what the weather is like"}}


def described(count: int) -> list[Example]:
    """What stands for the weather intent when it has so many examples of its own."""
    own = [Example(f"weather {i}", "weather") for i in range(count)]
    others = [Example(f"hello {i}", "greet") for i in range(20)]
    return description_examples([*own, *others], WEATHER)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("The user wants to block a card.", "block a card."),
        ("customers ask about fees", "fees"),
        ("somebody reports that a card was stolen", "a card was stolen"),
        ("the user tells the assistant to stop", "stop"),
        ("block a card", "block a card"),
        ("查询余额", "查询余额"),
    ],
)
def test_the_frame_of_a_description_is_taken_off(description: str, message: str) -> None:
    assert without_frame(description) == message


def test_a_description_counts_in_both_forms_and_fades_out() -> None:
    assert [e.text for e in described(0)] == [
        "the user asks what the weather is like",
        "what the weather is like",
    ]
    weights = [described(count)[0].weight for count in (0, 5, ENOUGH - 1)]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] > 1.0
    assert described(ENOUGH) == []


@pytest.mark.parametrize("text", ["", "  ", None, 5, ["a"]])
def test_a_description_that_says_nothing_is_no_example(text: object) -> None:
    assert description_examples([], {"weather": {"description": text}}) == []


def test_retrieval_keys_and_out_of_scope_have_no_descriptions() -> None:
    told = {"description": "anything else"}
    assert description_examples([], {"faq/fees": told, "oos": told, "nlu_fallback": told}) == []


def test_a_domains_description_counts_where_the_data_says_nothing() -> None:
    domain = Domain(intents={"weather": Intent("weather", description="is it sunny")})
    assert with_descriptions(NluData(), domain).intent_metadata == {
        "weather": {"description": "is it sunny"}
    }
    data = NluData(intent_metadata=WEATHER)
    assert with_descriptions(data, domain).intent_metadata == WEATHER


def test_descriptions_are_never_held_out() -> None:
    corpus = read_corpus(replace(examples(), intent_metadata=WEATHER))
    told = {i for i, e in enumerate(corpus.examples) if e.source == SOURCE}
    assert told
    assert "weather" in corpus.classes
    assert not told & {i for part in folds(corpus.examples, 3) for i in part}
    kept, held = hold_out(corpus.examples)
    assert told <= set(kept)
    assert not told & set(held)


def train(data: NluData, encoder: Path, out: Path, texts: Sequence[str]) -> list[str]:
    out.mkdir()
    train_understanding(data, out, TrainOptions("head", str(encoder)))
    heard = Interpreter.load(out).understand(texts)
    return [next(s.intent for s in u.ranking if s.intent != "nlu_fallback") for u in heard]


def test_an_intent_without_an_example_is_understood_by_its_description(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    data = replace(examples(), intent_metadata=WEATHER)
    texts = ["what is the weather like", "hello there", "send 20 eur to anna please"]
    assert train(data, tiny_encoder, tmp_path / "m", texts) == ["weather", "greet", "send"]


def test_cross_validation_judges_messages_only(tiny_encoder: Path) -> None:
    data = replace(examples(), intent_metadata=WEATHER)
    found = cross_validate(data, TrainOptions("head", str(tiny_encoder)), 2)
    assert sorted(found.texts) == sorted(e.text for e in data.examples)
    assert "weather" in found.labels
