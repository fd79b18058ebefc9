"""Words and letters beside a fine-tuned network."""

import numpy as np
import pytest

from agent.project.types import Example, NluData
from training.corpus import Corpus, hold_out, read_corpus
from training.fitted import HeldOut, known_of, targets_of
from training.frozen.spelling_mix import with_spelling

GREETINGS = ("guten tag", "guten morgen", "guten abend", "guten rutsch", "gute nacht")
FAREWELLS = ("auf wiedersehen", "bis bald", "bis dann", "bis morgen", "auf bald")


@pytest.fixture
def corpus() -> Corpus:
    """Two intents that single words tell apart, with 300 messages."""
    rows = [
        Example(f"{text} {number}{'' if label else ' leute'}", "bye" if label else "hi")
        for label, texts in enumerate((GREETINGS, FAREWELLS))
        for text in texts
        for number in ("ihr", "alle", "zusammen", "du", "sie", "anna", "otto", "ida", "emil", "max")
        for _ in range(3)
    ]
    unique = {example.text: example for example in rows}
    return read_corpus(NluData(examples=tuple(unique.values())))


def held_out(corpus: Corpus, logits: np.ndarray, examples: tuple[Example, ...]) -> HeldOut:
    nothing = np.zeros((0, 4), np.float32)
    pooled = np.zeros((len(examples), 4), np.float32)
    known = known_of(corpus, (), nothing)
    return HeldOut(examples, {"intent": logits}, pooled, known, source="hold-out")


def judged(corpus: Corpus) -> tuple[Example, ...]:
    return tuple(corpus.examples[i] for i in hold_out(corpus.examples, 0.1)[1])


def test_letters_are_added_where_the_network_knows_nothing(corpus: Corpus) -> None:
    examples = judged(corpus) * 3
    blind = np.zeros((len(examples), 2), np.float32)
    held, spelling = with_spelling(corpus, held_out(corpus, blind, examples))
    gold = targets_of(corpus, examples)["intent"]
    assert (held.logits["intent"].argmax(axis=1) == gold).mean() > 0.9
    outputs = {"intent_logits": np.zeros((2, 2), np.float32)}
    said = spelling.add_to(outputs, ["guten tag", "bis bald"])["intent_logits"].argmax(axis=1)
    assert [corpus.classes[i] for i in said] == ["hi", "bye"]


def test_a_network_that_is_right_stays_as_it_is(corpus: Corpus) -> None:
    examples = judged(corpus) * 3
    seeing = 30 * np.eye(2, dtype=np.float32)[targets_of(corpus, examples)["intent"]]
    held, spelling = with_spelling(corpus, held_out(corpus, seeing, examples))
    assert held.logits["intent"] is seeing
    assert not spelling.weights


def test_a_few_messages_say_nothing_of_it(corpus: Corpus) -> None:
    examples = judged(corpus)[:5]
    blind = np.zeros((5, 2), np.float32)
    held, spelling = with_spelling(corpus, held_out(corpus, blind, examples))
    assert held.logits["intent"] is blind
    assert not spelling.weights


def test_shares_that_are_settled_stay_though_the_network_knows_the_messages(
    corpus: Corpus,
) -> None:
    examples = judged(corpus) * 3
    seeing = 30 * np.eye(2, dtype=np.float32)[targets_of(corpus, examples)["intent"]]
    _, spelling = with_spelling(corpus, held_out(corpus, seeing, examples), {"intent_logits": 2.0})
    assert spelling.shares == {"intent_logits": 2.0}
    blind = {"intent_logits": np.zeros((1, 2), np.float32)}
    said = spelling.add_to(blind, ["bis bald"])["intent_logits"]
    assert corpus.classes[int(said.argmax())] == "bye"


def test_an_earlier_network_without_letters_is_followed_by_one_without(corpus: Corpus) -> None:
    examples = judged(corpus) * 3
    blind = np.zeros((len(examples), 2), np.float32)
    _, spelling = with_spelling(corpus, held_out(corpus, blind, examples), {})
    assert not spelling.weights
