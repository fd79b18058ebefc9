"""Label names as examples."""

import pytest

from agent.project.types import Example, NluData
from training.corpus import read_corpus
from training.label_names import name_examples, read_name


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("BookRestaurant", "book restaurant"),
        ("check-balance+transfer", "check balance transfer"),
        ("faq/opening_hours", "opening hours"),
        ("问候", "问候"),
    ],
)
def test_a_label_reads_as_words(label: str, words: str) -> None:
    assert read_name(label) == words


def test_intents_and_response_keys_are_named_but_retrieval_intents_are_not() -> None:
    data = NluData(
        (
            Example("hello", "greet"),
            Example("when do you open?", "faq", response="faq/opening_hours"),
            Example("42", "17"),
            Example("rain tomorrow?", "oos"),
        )
    )
    named = [(e.text, e.intent, e.response) for e in name_examples(read_corpus(data))]
    assert named == [("greet", "greet", None), ("opening hours", "faq", "faq/opening_hours")]
