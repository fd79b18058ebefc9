from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.confidence import Found, confidence, gather

WEIGHTS = {"block": 3.0, "card": 1.0, "zebra": 4.0}
SHARE = st.floats(0, 1)


def test_evidence_is_gathered_from_the_best_and_what_stands_behind_it() -> None:
    found = [Found("a", 0.6, 0.8, 0.4), Found("a", 0.5, 0.5, 0.5), Found("b", 0.2, 0.4, 0.1)]
    evidence = gather(found, WEIGHTS, frozenset(["block", "card"]), readable=0.5)
    assert evidence.coverage == pytest.approx(0.5)
    assert evidence.dense == pytest.approx(0.2)
    assert evidence.unread == 0.5
    assert evidence.lead == pytest.approx(0.4)
    assert evidence.lexical_lead == pytest.approx(0.3)
    assert evidence.mean_lead == pytest.approx(0.25)
    assert evidence.dense_lead == pytest.approx(0.35 * 0.25)


def test_a_single_passage_is_compared_with_nothing() -> None:
    evidence = gather([Found("a", 0.6, 0.8, 0.4)], {}, frozenset(), readable=1.0)
    assert (evidence.lead, evidence.mean_lead, evidence.coverage) == (0.6, 0.6, 0.0)


def test_two_equal_rivals_are_less_sure_than_one_clear_answer() -> None:
    best, rival = Found("a", 0.6, 0.6, 0.6), Found("b", 0.58, 0.6, 0.56)
    weak = replace(rival, score=0.1, dense=0.1, lexical=0.1)
    words = frozenset(["block", "card"])
    clear = confidence(gather([best, weak], WEIGHTS, words, readable=1.0))
    unclear = confidence(gather([best, rival], WEIGHTS, words, readable=1.0))
    assert unclear < clear


@given(SHARE, SHARE, SHARE, SHARE, SHARE, st.booleans())
def test_a_better_passage_is_never_less_sure(
    dense: float, words: float, other_dense: float, other_words: float, more: float, pair: bool
) -> None:
    def sure(dense: float, words: float) -> float:
        best = Found("a", (dense + words) / 2, dense, words)
        rival = Found("b", (other_dense + other_words) / 2, other_dense, other_words)
        evidence = gather([best, rival], WEIGHTS, frozenset(["card"]), readable=1.0)
        return confidence(evidence, pair=pair)

    assert sure(min(1.0, dense + more), words) >= sure(dense, words) - 1e-9
    assert sure(dense, min(1.0, words + more)) >= sure(dense, words) - 1e-9


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=30), SHARE)
def test_a_confidence_lies_between_0_and_1(rows: list[tuple[float, float]], read: float) -> None:
    found = [Found(str(n), (d + w) / 2, d, w) for n, (d, w) in enumerate(rows)]
    assert 0.0 <= confidence(gather(found, WEIGHTS, frozenset(), readable=read)) <= 1.0
