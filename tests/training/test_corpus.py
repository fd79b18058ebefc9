"""What is usable of training data, what is refused, and what is held out."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ProjectError
from agent.project.types import EntityAnnotation, Example, NluData, Place
from training.corpus import conflicts, fold, folds, hold_out, is_intent, read_corpus, read_dev
from training.errors import DataError


def data(*pairs: tuple[str, str | None]) -> NluData:
    return NluData(tuple(Example(text, intent) for text, intent in pairs))


def test_labels_are_sorted_and_oos_is_no_class() -> None:
    corpus = read_corpus(data(("hi", "greet"), ("xyz", "oos"), ("bye", "bye")))
    assert corpus.intents == ("bye", "greet")
    assert len(corpus.examples) == 3


def test_out_of_scope_is_an_ordinary_intent() -> None:
    assert is_intent("out_of_scope")
    assert not is_intent("oos")
    assert not is_intent("nlu_fallback")


def test_empty_data_is_refused() -> None:
    with pytest.raises(DataError, match="no example with a text"):
        read_corpus(data((" ", "greet")))


def test_data_without_any_label_is_refused() -> None:
    with pytest.raises(DataError, match="has an intent"):
        read_corpus(data(("hello", None)))


def test_overlapping_entities_are_refused_with_the_line() -> None:
    spans = (EntityAnnotation(0, 3, "a", "x"), EntityAnnotation(2, 5, "b", "y"))
    bad = NluData((Example("abcdef", "go", spans, place=Place("data/nlu.yml", 12)),))
    with pytest.raises(ProjectError, match=r"nlu\.yml:12"):
        read_corpus(bad)


def test_words_with_several_entities_are_learned_with_the_first() -> None:
    spans = tuple(EntityAnnotation(0, 3, label, "x") for label in ("a", "b"))
    other = EntityAnnotation(4, 6, "c", "y")
    corpus = read_corpus(NluData((Example("abc ef", "go", (*spans, other)),)))
    assert corpus.examples[0].entities == (spans[0], other)
    assert any("several entities" in notice.message for notice in corpus.notices)


def test_a_label_with_one_example_is_reported() -> None:
    corpus = read_corpus(data(("hi", "greet"), ("hello", "greet"), ("bye", "bye")))
    assert any("'bye' has a single example" in notice.message for notice in corpus.notices)


def test_one_text_under_two_intents_is_reported() -> None:
    found = conflicts(data(("Yes ", "affirm"), ("yes", "thanks"), ("no", "deny")).examples)
    assert len(found) == 1
    assert "'affirm', 'thanks'" in found[0].message


def test_dev_examples_of_unknown_intents_are_left_out_and_reported() -> None:
    corpus = read_corpus(data(("hi", "greet"), ("bye", "bye")))
    dev = read_dev(data(("hello", "greet"), ("what", "ask")), corpus)
    assert [e.text for e in dev.examples] == ["hello"]
    assert "'ask'" in dev.notices[0].message


def test_dev_data_of_nothing_known_is_refused() -> None:
    with pytest.raises(DataError, match="dev data"):
        read_dev(data(("what", "ask")), read_corpus(data(("hi", "greet"))))


texts = st.lists(st.tuples(st.text(min_size=1), st.sampled_from("abc")), max_size=60)


@given(texts)
def test_equal_texts_stay_on_one_side_of_the_hold_out(rows: list[tuple[str, str]]) -> None:
    examples = data(*rows).examples
    rest, out = hold_out(examples)
    assert sorted(rest + out) == list(range(len(rows)))
    assert not {fold(examples[i].text) for i in rest} & {fold(examples[i].text) for i in out}


@given(texts)
def test_folds_are_a_partition(rows: list[tuple[str, str]]) -> None:
    parts = folds(data(*rows).examples, 3)
    assert sorted(i for part in parts for i in part) == list(range(len(rows)))


def test_every_label_with_enough_examples_gives_a_tenth() -> None:
    rows = [(f"{name} {i}", name) for name in ("x", "y") for i in range(30)]
    _, out = hold_out(data(*rows, ("rare", "z")).examples)
    assert Counter(rows[i][1] for i in out) == {"x": 3, "y": 3}


def test_the_hold_out_does_not_depend_on_the_order() -> None:
    rows = [(f"text {i}", "x") for i in range(50)]
    _, first = hold_out(data(*rows).examples)
    _, second = hold_out(data(*rows[::-1]).examples)
    assert {rows[i][0] for i in first} == {rows[::-1][i][0] for i in second}
