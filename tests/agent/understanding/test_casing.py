"""Ids that say how a token is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.understanding.casing import CLASSES, STRIDE, case_of, with_case


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        *[("", 0), ("3.5", 0), ("über", 1), ("##s", 1), ("中文", 1), ("Ümit", 2), ("I", 2)],
        *[("USA", 3), ("A-1B", 3), ("McDonald", 4), ("eBay", 4), ("O'Neil", 4)],
    ],
)
def test_a_piece_has_the_class_of_its_capitals(piece: str, expected: int) -> None:
    assert case_of(piece) == expected


@given(st.text())
def test_every_text_has_a_class_and_small_letters_have_no_capitals(text: str) -> None:
    assert 0 <= case_of(text) < CLASSES
    assert case_of(text.lower()) in (0, 1) or text.lower() != text.lower().lower()


def test_the_word_and_its_class_can_be_read_from_an_id() -> None:
    ids = with_case("Go to NATO", [7, 8, 9], [(0, 2), (3, 5), (6, 10)])
    assert [number % STRIDE for number in ids] == [7, 8, 9]
    assert [number // STRIDE for number in ids] == [2, 1, 3]
