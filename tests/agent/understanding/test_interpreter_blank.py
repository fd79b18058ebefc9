"""What says nothing at all is not given to the network."""

import pytest

from agent.understanding.interpreter import _says_something


@pytest.mark.parametrize("text", ["", " \n", "?", "...!?", "\u0000", "\u200b\u202e", "-- —", "¿"])
def test_punctuation_and_control_characters_say_nothing(text: str) -> None:
    assert not _says_something(text)


@pytest.mark.parametrize("text", ["ok", "5", "你好", "👍", "€", "نعم", "?y", "½"])
def test_a_letter_a_digit_or_a_symbol_says_something(text: str) -> None:
    assert _says_something(text)
