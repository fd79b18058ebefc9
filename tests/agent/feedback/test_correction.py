import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.feedback.correction import (
    STATES,
    TRANSITIONS,
    Correction,
    Prediction,
    check,
    check_intent,
)
from agent.feedback.correction_json import from_dict, parse_entities, to_dict
from agent.project.types import EntityAnnotation
from knowledge.errors import InputError


def make(**fields: Any) -> Correction:
    return Correction(**{"text": "hi", "kind": "intent", "author": "ann", "intent": "x", **fields})


def test_a_new_one_is_pending_at_revision_one() -> None:
    one = make()
    assert (one.state, one.revision, one.reviewer) == ("pending", 1, None)
    assert one.history[0].by == "ann"


def test_a_reviewer_accepts_and_stands_in_the_history() -> None:
    done = make().moved("accepted", "bob", reason="yes")
    assert (done.state, done.revision, done.reviewer) == ("accepted", 2, "bob")
    assert (done.history[-1].by, done.history[-1].reason) == ("bob", "yes")


def test_an_undone_one_has_no_reviewer() -> None:
    undone = make().moved("accepted", "bob").moved("pending", "bob")
    assert (undone.state, undone.reviewer, undone.revision) == ("pending", None, 3)


def test_only_legal_transitions_are_possible() -> None:
    one = make()
    for state in STATES:
        here = replace(one, state=state)
        for target in (*STATES, "gone"):
            if target in TRANSITIONS[state]:
                assert here.moved(target, "bob").state == target
            else:
                with pytest.raises(InputError, match="cannot become"):
                    here.moved(target, "bob")  # type: ignore[arg-type]


def test_what_is_not_corrected_stays_as_predicted() -> None:
    spans = (EntityAnnotation(0, 2, "city", "hi"),)
    predicted = Prediction("a", 0.5, spans)
    assert make(intent=None, predicted=predicted).final_intent == "a"
    assert make(predicted=predicted).final_intent == "x"
    assert make(predicted=predicted).final_entities == spans
    assert make(predicted=predicted, entities=()).final_entities == ()


@pytest.mark.parametrize(
    "name",
    [
        "greet",
        "faq/opening_hours",
        "oos",
        "out_of_scope",
        "a.b-c+d",
        "问候",
        "می\u200cخواهم",
        "x" * 120,
    ],
)
def test_names_of_intents_are_taken(name: str) -> None:
    check_intent(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "/greet",
        "greet/",
        "a/b/c",
        "a b",
        "a\nb",
        'a{"x":1}',
        "<b>",
        "nlu_fallback",
        "x" * 121,
        "a(b)",
        "//",
        "a/",
        '"a"',
        "a\x00b",
        "\u202egreet",
        "gre\u200bet",
    ],
)
def test_what_is_no_name_of_an_intent_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_intent(name)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "   "}, "the text is empty"),
        ({"text": "x" * 20_001}, "20001 characters"),
        ({"intent": None}, "nothing is corrected"),
        ({"kind": "thumbs", "intent": None}, "nothing is corrected"),
        ({"id": "a b"}, "cannot be a correction's id"),
        ({"id": ""}, "cannot be a correction's id"),
        ({"kind": "other"}, "kind 'other' is unknown"),
        ({"answer": " "}, "the answer is empty"),
        ({"answer": "x" * 20_001}, "20001 characters"),
        ({"entities": (EntityAnnotation(0, 3, "a", None),)}, "the text has 2 characters"),
        ({"entities": (EntityAnnotation(1, 1, "a", None),)}, "start < end"),
        ({"entities": (EntityAnnotation(-1, 1, "a", None),)}, "span -1:1"),
        ({"entities": (EntityAnnotation(0, 1, "a b", None),)}, "cannot be an entity's label"),
        ({"entities": (EntityAnnotation(0, 1, "a\x00b", None),)}, "cannot be an entity's label"),
        ({"entities": (EntityAnnotation(0, 1, "a\u202eb", None),)}, "cannot be an entity's label"),
        ({"entities": (EntityAnnotation(0, 1, "a", "b", "<b>"),)}, "cannot be the role"),
        ({"entities": (EntityAnnotation(0, 1, "a", "b", None, "x" * 121),)}, "be the group"),
        ({"entities": (EntityAnnotation(0, 1, "a", ["x"] * 5000),)}, "at most 20000 are kept"),
        (
            {"entities": (EntityAnnotation(0, 2, "a", None), EntityAnnotation(1, 2, "b", None))},
            "overlaps",
        ),
    ],
)
def test_what_is_not_sound_is_refused_with_its_value(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(make(**fields))


def test_a_thumb_needs_no_text() -> None:
    check(make(kind="thumbs", text="", intent=None, liked=False))


entities = st.builds(
    EntityAnnotation,
    start=st.integers(0, 5),
    end=st.integers(6, 9),
    label=st.sampled_from(["city", "城市"]),
    value=st.none() | st.text() | st.integers(),
    role=st.none() | st.just("from"),
    group=st.none() | st.just("1"),
)
corrections = st.builds(
    make,
    text=st.text(),
    intent=st.none() | st.just("faq/hours"),
    entities=st.none() | st.lists(entities, max_size=2).map(tuple),
    answer=st.none() | st.text(),
    liked=st.none() | st.booleans(),
    turn_id=st.none() | st.text(),
    conversation_id=st.none() | st.text(),
    predicted=st.builds(Prediction, intent=st.none() | st.text(), confidence=st.floats(0, 1)),
    trust=st.sampled_from(["reviewer", "signed_in", "anonymous"]),
)


@given(corrections, st.lists(st.sampled_from(STATES), max_size=3))
def test_json_brings_it_back_as_it_was(one: Correction, states: list[Any]) -> None:
    for state in states:
        if state in TRANSITIONS[one.state]:
            one = one.moved(state, "bob", reason="é")
    assert from_dict(json.loads(json.dumps(to_dict(one)))) == one


def test_labels_of_further_heads_are_a_correction_and_come_back() -> None:
    one = check(make(intent=None, labels={"sentiment": "negative"}))
    assert from_dict(json.loads(json.dumps(to_dict(one)))) == one
    with pytest.raises(InputError, match="further head"):
        check(make(labels={"sentiment": "<b>"}))


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(InputError, match="update intent-agent"):
        from_dict({**to_dict(make()), "format": 2})


@pytest.mark.parametrize(
    "change",
    [
        {"state": "gone"},
        {"created_at": "yesterday"},
        {"kind": None},
        {"entities": [1]},
        {"history": [{}]},
        {"predicted": 3},
        {"source": "bot"},
    ],
)
def test_a_broken_one_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        from_dict({**to_dict(make()), **change})


def test_entities_are_read_as_rasa_writes_them() -> None:
    (one,) = parse_entities([{"entity": "city", "start": 0, "end": 2, "value": "x", "role": "to"}])
    assert one == EntityAnnotation(0, 2, "city", "x", "to", None)


@pytest.mark.parametrize(
    "value",
    [
        1,
        "x",
        [{}],
        [{"start": 0, "end": "2", "label": "a"}],
        [{"start": True, "end": 2}],
        [{"start": 0, "end": 2, "label": "a", "role": 5}],
    ],
)
def test_what_is_no_list_of_entities_is_refused_with_an_example(value: Any) -> None:
    with pytest.raises(InputError, match=r'like .*"start": 0'):
        parse_entities(value)
