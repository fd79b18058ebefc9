"""The best sequence of tags: always valid, and none is better."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.understanding.tag_paths import best_tags, is_valid, likeliest_tags
from agent.understanding.transitions import NO_TRANSITIONS, count_transitions, follow_scores

_SIZE = 7
scores = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal(size=(seed % 9 + 1, _SIZE)).astype(np.float32)
)
tag_rows = st.lists(
    st.lists(st.integers(0, _SIZE - 1), max_size=6).filter(is_valid), min_size=1, max_size=8
)
strengths = st.sampled_from([1.0, 3.0, 10.0])


def test_what_is_not_counted_says_nothing() -> None:
    assert follow_scores(NO_TRANSITIONS) is None


def test_what_follows_often_is_favoured_and_what_breaks_the_rules_is_out_of_question() -> None:
    follows = follow_scores(count_transitions([[0, 0, 1, 2, 2, 0, 0]] * 10, 5, 0.3))
    assert follows is not None
    assert follows[1, 2] > 0 > follows[1, 0]
    assert follows[0, 2] == follows[1, 4] == follows[3, 2] == pytest.approx(-1e9)


@given(scores)
def test_the_decoder_never_breaks_the_rules(emission: np.ndarray) -> None:
    assert is_valid(best_tags(emission))


@given(scores)
def test_the_decoder_finds_the_best_valid_sequence(emission: np.ndarray) -> None:
    emission = emission[:4]
    best = max(
        (tags for tags in np.ndindex(*[_SIZE] * len(emission)) if is_valid(tags)),
        key=lambda tags: sum(emission[i, tag] for i, tag in enumerate(tags)),
    )
    assert best_tags(emission) == list(best)


@given(scores, tag_rows, strengths)
def test_with_steps_counted_in_the_best_sequence_is_found_too(
    emission: np.ndarray, rows: list[list[int]], strength: float
) -> None:
    emission = (emission[:4] * strength).astype(np.float32)
    follows = follow_scores(count_transitions(rows, _SIZE, 0.3))
    assert follows is not None

    def total(tags: tuple[int, ...]) -> float:
        own = sum(emission[i, tag] for i, tag in enumerate(tags))
        return float(own + sum(follows[b, a] for b, a in pairwise(tags)))

    found = likeliest_tags(emission, follows)
    assert is_valid(found)
    valid = (tags for tags in np.ndindex(*[_SIZE] * len(emission)) if is_valid(tags))
    assert total(tuple(found)) == pytest.approx(max(map(total, valid)), abs=1e-3)
