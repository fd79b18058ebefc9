import re

import pytest

from agent.project.types import EntityAnnotation, Example, NluData
from training.surrogates import Surrogates, with_surrogates


def masked(text: str, label: str, placeholder: str = "<NAME>") -> Example:
    start = text.index(placeholder)
    end = start + len(placeholder)
    return Example(text, "book", (EntityAnnotation(start, end, label, placeholder),))


def filled(example: Example, *base: Example) -> tuple[str, str]:
    """The text and the words of its one entity."""
    (one,) = Surrogates.of(NluData(base)).fill([example])
    (entity,) = one.entities
    words = one.text[entity.start : entity.end]
    assert entity.value == words
    assert one.text == example.text.replace("<NAME>", words)
    return one.text, words


def test_what_was_taken_for_a_name_gets_a_value_that_its_label_has() -> None:
    base = Example("block my Visa", "block", (EntityAnnotation(9, 13, "card", "Visa"),))
    assert filled(masked("cancel my <NAME>", "card"), base) == ("cancel my Visa", "Visa")


def test_a_name_is_none_of_those_that_training_data_has() -> None:
    base = Example("a table for Ann", "book", (EntityAnnotation(12, 15, "person", "Ann"),))
    assert filled(masked("Book <NAME> at 8", "person"), base)[1] not in ("Ann", "<NAME>")


@pytest.mark.parametrize(
    ("text", "label", "pattern"),
    [
        ("Book <NAME> at 8", "last_name", r"[A-Z][a-z]+"),
        ("book <NAME> at 8", "person", r"[a-z]+( [a-z]+)?"),
        ("请转给<NAME>五十元", "person", r"[\u4e00-\u9fff]{2}"),
    ],
)
def test_a_name_of_a_label_without_values_is_made_up(text: str, label: str, pattern: str) -> None:
    assert re.fullmatch(pattern, filled(masked(text, label), Example("hello", "greet"))[1])


def test_further_entities_keep_standing_where_they_stood() -> None:
    time = EntityAnnotation(15, 16, "hour", "8")
    example = masked("book <NAME> at 8", "person")
    example = Example(example.text, "book", (*example.entities, time))
    (one,) = Surrogates.of(NluData()).fill([example])
    assert [one.text[e.start : e.end] for e in one.entities][1] == "8"


def test_many_examples_get_many_names_and_each_always_the_same() -> None:
    many = [masked(f"{n}: book <NAME>", "person") for n in range(40)]
    once = [filled(one)[1] for one in many]
    assert len(set(once)) > 20
    assert once == [filled(one)[1] for one in many]


def test_a_placeholder_that_is_no_entity_stays() -> None:
    plain = NluData((Example("block my <NAME>", "block_card"),))
    assert with_surrogates(plain) == plain
