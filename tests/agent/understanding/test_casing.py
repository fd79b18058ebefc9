"""Ids that say how a token is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.understanding.casing import CLASSES, STRIDE, case_of, with_case


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        *[("", 0), ("3.5", 0), ("über", 0), ("##s", 0), ("中文", 0), ("Ümit", 1), ("I", 1)],
        *[("USA", 2), ("A-1B", 2), ("McDonald", 3), ("eBay", 3), ("O'Neil", 3)],
    ],
)
def test_a_piece_has_the_class_of_its_capitals(piece: str, expected: int) -> None:
    assert case_of(piece) == expected


@given(st.text())
def test_every_text_has_a_class_and_small_letters_have_no_capitals(text: str) -> None:
    assert 0 <= case_of(text) < CLASSES
    assert case_of(text.lower()) == 0 or text.lower() != text.lower().lower()


def test_the_word_and_its_class_can_be_read_from_an_id() -> None:
    ids = with_case("Go to NATO", [7, 8, 9], [(0, 2), (3, 5), (6, 10)])
    assert [number % STRIDE for number in ids] == [7, 8, 9]
    assert [number // STRIDE for number in ids] == [1, 0, 2]


def test_text_without_capitals_has_the_ids_that_it_had() -> None:
    assert with_case("go to 東京", [7, 8, 9], [(0, 2), (3, 5), (6, 8)]) == [7, 8, 9]
