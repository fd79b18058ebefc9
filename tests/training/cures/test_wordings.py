"""Rewordings change the text as people would, and never which words are an entity."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.project.types import Example
from tests.training.testing.test_noise import annotated
from training.cures.edits import edited
from training.cures.wordings import Rewording, mistyped, reworded, spoken, with_synonyms

TABLE = {"please": ["kindly"], "table": ["desk", "bench"], "book": ["reserve"]}
ALL: dict[str, Rewording] = {
    "typos": mistyped,
    "speech": spoken,
    "synonyms": with_synonyms(TABLE),
}


@given(example=annotated(), seed=st.integers(0, 30), name=st.sampled_from(sorted(ALL)))
def test_entities_keep_their_letters(example: Example, seed: int, name: str) -> None:
    changed = edited(example, ALL[name](example, Random(seed)))
    for before, after in zip(example.entities, changed.entities, strict=True):
        old, new = example.text[before.start : before.end], changed.text[after.start : after.end]
        assert new.casefold() == old.casefold()
        assert name == "speech" or new == old


def test_a_slip_goes_to_a_key_at_hand_or_disturbs_two_letters() -> None:
    found = {
        edited(Example("help", "x"), mistyped(Example("help", "x"), Random(seed))).text
        for seed in range(300)
    }
    assert {"ehlp", "elp", "hhelp", "jelp", "hrlp"} <= found
    assert all(3 <= len(text) <= 5 for text in found)


def test_speech_has_neither_capitals_nor_marks_and_mishears() -> None:
    example = Example("Could you tell me, where is THEIR new branch?", "x")
    found = {edited(example, spoken(example, Random(seed))).text for seed in range(60)}
    assert all(text == text.lower() and not set(text) & set(",?") for text in found)
    assert any("there" in text for text in found)
    assert any(text.startswith("um ") for text in found)


def test_words_are_exchanged_for_their_synonyms_outside_entities() -> None:
    example = Example("Please book a table", "x")
    found = {edited(example, ALL["synonyms"](example, Random(seed))).text for seed in range(40)}
    assert {"kindly book a table", "Please reserve a table", "Please book a bench"} <= found


@pytest.mark.parametrize(("chance", "same"), [(0.0, True), (1.0, False)])
def test_a_chance_says_how_often(chance: float, same: bool) -> None:
    example = Example("please book a table", "x")
    shown = reworded(example, [(mistyped, chance)], Random(1))
    assert (shown.text == example.text) is same


def test_a_text_of_marks_alone_is_not_spoken_away() -> None:
    assert reworded(Example("???", "x"), [(spoken, 1.0)], Random(0)).text.strip()
