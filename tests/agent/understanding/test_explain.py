"""Which words carry an intent, with a network whose odds are known."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from agent.understanding.explain import explain
from agent.understanding.runtime import KnownExamples, Network, NetworkOutput

EVIDENCE = {"block": 3.0, "card": 2.0, "hello": -1.0}


class Scripted:
    """Two intents; each word adds to the first one's log-odds."""

    def __init__(self, intents: tuple[str, ...] = ("block_card", "greet"), scale: float = 1.0):
        self.spec = SimpleNamespace(intents=intents)
        self.scale, self.batches = scale, 0
        vectors = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32)
        known = np.array(["", "block_card"])
        self.examples = KnownExamples(("hi", "lost card"), known, vectors, known)

    def words(self, text: str) -> list[tuple[int, int]]:
        spans, position = [], 0
        for word in text.split(" "):
            spans.append((position, position + len(word)))
            position += len(word) + 1
        return spans

    def run(self, texts: Sequence[str]) -> list[NetworkOutput]:
        self.batches += 1
        return [self._output(text) for text in texts]

    def _output(self, text: str) -> NetworkOutput:
        odds = np.exp(self.scale * sum(EVIDENCE.get(word, 0.0) for word in text.split()))
        both = np.array([odds / (1 + odds), 1 / (1 + odds)], dtype=np.float32)
        some = both[: len(self.spec.intents)]
        pooled = np.array([1.0, 0.0], dtype=np.float32)
        return NetworkOutput(some, (), 1.0, pooled, some[:0], {})


def network(**options: object) -> Network:
    return cast(Network, Scripted(**options))  # type: ignore[arg-type]


def test_a_words_weight_is_its_share_in_the_evidence() -> None:
    found = explain(network(), "please block my card")
    assert (found.intent, [p.text for p in found.tokens]) == (
        "block_card",
        ["please", "block", "my", "card"],
    )
    weights = [part.weight for part in found.tokens]
    assert weights == pytest.approx([0.0, 0.6, 0.0, 0.4], abs=1e-6)


def test_a_word_that_speaks_against_the_intent_has_a_negative_weight() -> None:
    found = explain(network(), "hello block")
    assert [part.weight for part in found.tokens] == pytest.approx([-0.25, 0.75], abs=1e-6)
    assert found.tokens[1].without < 0.5 < found.confidence


def test_a_probability_that_rounds_to_one_still_has_its_words() -> None:
    found = explain(network(scale=8.0), "block card now")
    assert found.confidence == 1.0
    assert [p.weight for p in found.tokens] == pytest.approx([0.6, 0.4, 0.0], abs=1e-3)


def test_the_nearest_examples_come_with_their_intent() -> None:
    nearest = explain(network(), "block").nearest
    assert [(n.text, n.intent) for n in nearest] == [("lost card", "block_card"), ("hi", None)]
    assert nearest[0].similarity == pytest.approx(1.0)


def test_a_long_message_is_looked_at_in_parts_that_cover_it() -> None:
    text = " ".join(f"w{i}" for i in range(500)) + " block"
    found = explain(network(), text)
    assert len(found.tokens) < 50
    assert (found.tokens[0].start, found.tokens[-1].end) == (0, len(text))
    assert max(found.tokens, key=lambda part: part.weight).text.endswith("block")


def test_all_variants_go_through_the_network_at_once() -> None:
    scripted = Scripted()
    explain(cast(Network, scripted), "please block my card")
    assert scripted.batches == 1


def test_a_single_intent_or_none_breaks_nothing() -> None:
    one = explain(network(intents=("block_card",)), "block card")
    assert [part.weight for part in one.tokens] == [0.0, 0.0]
    none = explain(network(intents=()), "block card")
    assert (none.intent, none.tokens) == (None, ())
    assert none.nearest
