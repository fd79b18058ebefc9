import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.feedback.echoes import Echoes


@pytest.mark.parametrize(
    ("said", "answer", "logged"),
    [
        ("I am joe@example.com", "Hello Joe!", "Hello <EMAIL>!"),
        ("jo@x.com", "Hello JO!", "Hello <EMAIL>!"),
        ("joe.smith@x.com", "Joe Smith, joesmith, Mr Smith", "<EMAIL>, <EMAIL>, Mr <EMAIL>"),
        ("ann-lee99@x.com", "Dear Ann", "Dear <EMAIL>"),
        ("joe@acme.example.com", "Does Acme pay?", "Does <EMAIL> pay?"),
        ("我是 joe@x.com", "你好joe，", "你好<EMAIL>，"),
        ("jürgen@x.de", "Hallo JÜRGEN", "Hallo <EMAIL>"),
        ("card 5555 5555 5555 4444", "Your card ending in 4444", "Your card ending in <CARD>"),
        ("card 4111 1111 1111 1111", "4111********1111", "<CARD>********<CARD>"),
        ("my phone is 4155550123", "We ring 415 555 0123.", "We ring <PHONE>."),
        ("call 030 12345678", "+49 30 12345678?", "+<PHONE>?"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "an account at WEST", "an account at <IBAN>"),
        ("from 192.168.0.17", "the net 192.168.0.*", "the net <IP>.*"),
    ],
)  # fmt: skip
def test_parts_and_other_forms_of_personal_data_are_hidden(
    said: str, answer: str, logged: str
) -> None:
    assert Echoes.of([said]).hide(answer) == logged


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("I am joe@example.com", "Write to the commander of joey"),
        ("I am joe@example.com", "<EMAIL> has 2 cards"),
        ("email@example.com", "<EMAIL> it is"),
        ("I am x@example.com", "x marks the spot"),
        ("call +44 20 7946 0958", "In 44 days 20 % of 795.60"),
        ("hello", "Hello Joe, 4111"),
    ],
)
def test_other_words_and_numbers_stay(said: str, answer: str) -> None:
    assert Echoes.of([said]).hide(answer) == answer


@given(st.text(), st.text(alphabet="joe.@ 41<EMAIL>-"))
def test_hiding_twice_is_hiding_once(noise: str, answer: str) -> None:
    echoes = Echoes.of(["joe@email.com 4111 1111 1111 1111 " + noise])
    once = echoes.hide(answer)
    assert echoes.hide(once) == once


@pytest.mark.parametrize("piece", ["1", "1 ", "joe ", "joe.", "(1)"])
def test_a_long_answer_is_looked_through_in_time(piece: str) -> None:
    echoes = Echoes.of(["joe.smith@example.com", "call +44 20 7946 0958", "4111111111111111"])
    begun = time.process_time()
    echoes.hide(piece * (100_000 // len(piece)))
    assert time.process_time() - begun < 30
