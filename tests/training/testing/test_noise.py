"""Noise changes the text and never which words are an entity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.project.types import EntityAnnotation, Example
from training.testing.noise import NOISES, disturb

WORDS = ["please", "book", "a", "table", "i'm", "what", "is", "日本", "מלון", "ﬂight?", "naïve!"]


@st.composite
def annotated(draw: st.DrawFn) -> Example:
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
    text, spans = "", []
    for word in words:
        text += draw(st.sampled_from([" ", "  "])) if text else ""
        if draw(st.booleans()):
            spans.append(EntityAnnotation(len(text), len(text) + len(word), "thing", word))
        text += word
    return Example(text, "any", tuple(spans))


@given(example=annotated(), seed=st.integers(0, 20), noise=st.sampled_from(sorted(NOISES)))
def test_entities_keep_their_letters(example: Example, seed: int, noise: str) -> None:
    (noisy,) = disturb([example], noise, seed)
    assert len(noisy.entities) == len(example.entities)
    for before, after in zip(example.entities, noisy.entities, strict=True):
        old, new = example.text[before.start : before.end], noisy.text[after.start : after.end]
        assert new.casefold() == old.casefold()
        assert noise == "casing" or new == old


@pytest.mark.parametrize("noise", sorted(NOISES))
def test_the_same_seed_gives_the_same_texts(noise: str) -> None:
    examples = [Example("i would like to book a table", "book")]
    assert disturb(examples, noise, 3) == disturb(examples, noise, 3)
    assert disturb(examples, noise, 3)[0].text != examples[0].text


def test_typos_change_a_letter_or_two_of_a_word() -> None:
    (noisy,) = disturb([Example("table", "book")], "typos")
    assert abs(len(noisy.text) - 5) <= 1
    assert noisy.text[0] + noisy.text[-1] == "te"


@pytest.mark.parametrize("noise", sorted(NOISES))
@pytest.mark.parametrize("text", ["?", "日本", "a", "😀"])
def test_texts_without_words_are_no_trouble(noise: str, text: str) -> None:
    assert disturb([Example(text, "any")], noise)[0].text.strip()
