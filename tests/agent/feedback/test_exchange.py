import json
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.feedback.correction import Correction, Prediction
from agent.feedback.exchange import Format, export, read_corrections
from agent.project import load_nlu
from agent.project.types import EntityAnnotation
from knowledge.errors import InputError


def make(text: str = "hi", **fields: Any) -> Correction:
    given_fields = {"kind": "intent", "author": "ann", "intent": "greet", "state": "accepted"}
    return Correction(text=text, **{**given_fields, **fields})


def test_rasas_format_reads_back_with_the_same_labels(tmp_path: Path) -> None:
    spans = (
        EntityAnnotation(3, 6, "city", "New York", "to", "1"),
        EntityAnnotation(7, 8, "n", "2"),
    )
    file = tmp_path / "nlu.yml"
    corrections = [
        make("to NYC 2", intent="book", entities=spans),
        make("hi"),
        make("hi"),
        make("é"),
    ]
    done = export(corrections, "rasa")
    file.write_text(done.text)
    examples = load_nlu([file]).examples
    assert [(e.intent, e.text) for e in examples] == [
        ("book", "to NYC 2"),
        ("greet", "hi"),
        ("greet", "é"),
    ]
    assert examples[0].entities == spans
    assert (done.count, done.left_out) == (3, {corrections[1].id: "a newer correction of the text"})


def test_a_retrieval_intent_keeps_its_key(tmp_path: Path) -> None:
    (tmp_path / "nlu.yml").write_text(export([make(intent="faq/hours")], "rasa").text)
    (example,) = load_nlu([tmp_path / "nlu.yml"]).examples
    assert (example.intent, example.response) == ("faq", "faq/hours")


@pytest.mark.parametrize(
    ("correction", "reason"),
    [
        (make(intent=None, answer="hello"), "neither the intent nor entities"),
        (make(intent=None, entities=()), "no intent is known"),
        (make(intent=None, entities=(), predicted=Prediction("nlu_fallback")), "no intent"),
        (make("see [this](link)"), "cannot be written"),
        (make("- a list"), "cannot be written"),
    ],
)
def test_what_gives_no_example_is_named_with_the_reason(
    correction: Correction, reason: str
) -> None:
    done = export([correction], "rasa")
    assert done.count == 0
    assert reason in done.left_out[correction.id]


def test_examples_take_the_prediction_for_what_was_not_corrected() -> None:
    one = make(intent=None, entities=(), predicted=Prediction("bye"))
    (line,) = export([one], "jsonl").text.splitlines()
    assert json.loads(line) == {"text": "hi", "intent": "bye", "entities": []}


def test_whole_corrections_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    corrections = [make(), make("x", kind="thumbs", intent=None, liked=True), make(answer="no\n")]
    file.write_text(export(corrections, "corrections").text)
    assert read_corrections(file, "bob") == corrections


@pytest.mark.parametrize("form", ["rasa", "jsonl"])
def test_examples_become_accepted_corrections_with_stable_ids(tmp_path: Path, form: Any) -> None:
    file = tmp_path / ("x.yml" if form == "rasa" else "x.jsonl")
    file.write_text(
        export([make("to NYC", entities=(EntityAnnotation(3, 6, "city", "NYC"),))], form).text
    )
    (first,), (second,) = read_corrections(file, "bob"), read_corrections(file, "eve")
    assert first.id == second.id
    assert (first.state, first.reviewer, first.intent) == ("accepted", "bob", "greet")
    assert first.entities == (EntityAnnotation(3, 6, "city", "NYC"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "must be a JSON object"),
        ('{"intent": "x"}', "text: must be the message"),
        ('{"text": "a", "intent": 3}', "intent: is a name or null"),
        ('{"text": "a", "intent": "/x"}', "cannot be an intent's name"),
        ('{"text": "a"}', "nothing is corrected"),
        ('{"text": "a", "intent": "x", "entities": [{}]}', "entities must be a list"),
        ('{"kind": "intent", "text": "a"}', "not a correction"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "a", "intent": "x"}\n' + content + "\n")
    with pytest.raises(InputError, match=message) as caught:
        read_corrections(file, "bob")
    assert caught.value.line == 2


@pytest.mark.parametrize("name", ["x.csv", "missing.jsonl"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        read_corrections(tmp_path / name, "bob")


@given(st.text(min_size=1).filter(lambda text: text.strip()), st.data())
def test_whatever_is_exported_reads_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    one = make(text, entities=(EntityAnnotation(start, end, "x", text[start:end]),))
    done = export([one], "rasa")
    if done.count:
        file = tmp_path_factory.mktemp("export") / "nlu.yml"
        file.write_text(done.text, encoding="utf-8")
        (example,) = load_nlu([file]).examples
        assert len(example.entities) == 1
        marked = example.entities[0]
        # A file cannot hold control characters: blanks stand in their place.
        words = "".join(" " if category(c) == "Cc" else c for c in text[start:end]).split()
        assert example.text[marked.start : marked.end].split() == words


def test_control_characters_in_a_span_do_not_spoil_the_file(tmp_path: Path) -> None:
    one = make("a\x1fb", entities=(EntityAnnotation(0, 2, "x", "a\x1f"),))
    file = tmp_path / "nlu.yml"
    file.write_text(export([one], "rasa").text, encoding="utf-8")
    (example,) = load_nlu([file]).examples
    assert example.text == "a b"


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
def test_what_labelling_tools_get_can_be_read_back(tmp_path: Path, form: Format) -> None:
    spans = (EntityAnnotation(9, 13, "thing", "card"),)
    one = Correction("block my card", "intent", "ann", intent="block_card", entities=spans)
    path = tmp_path / "tasks.json"
    path.write_text(export([one], form).text)
    (back,) = read_corrections(path, "bob")
    assert (back.text, back.intent, back.entities) == (one.text, "block_card", spans)
    assert (back.state, back.author) == ("accepted", "bob")


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
def test_values_and_roles_come_back_from_tools_that_know_labels_only(
    tmp_path: Path, form: Format
) -> None:
    spans = (
        EntityAnnotation(5, 12, "amount", "50"),
        EntityAnnotation(16, 20, "person", "Anna", role="payee"),
    )
    one = Correction("send 50 euro to Anna", "intent", "ann", intent="pay", entities=spans)
    path = tmp_path / "tasks.json"
    path.write_text(export([one], form).text)
    (back,) = read_corrections(path, "bob")
    assert back.entities == spans


@pytest.mark.parametrize(
    "text", ["{}", "[1]", '[{"data": {}}]', '[{"fields": {}, "x": 1}, 2]', "["]
)
def test_a_broken_export_of_a_tool_gets_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"tasks\.json: "):
        read_corrections(path, "bob")


@pytest.mark.parametrize("form", ["rasa", "jsonl", "corrections", "label-studio", "argilla"])
def test_no_file_has_the_name_that_a_correction_marks(tmp_path: Path, form: Format) -> None:
    spans = (EntityAnnotation(7, 14, "Person", "Ann Lee"), EntityAnnotation(18, 19, "n", "8"))
    one = make("a Ann? Ann Lee at 8", entities=spans)
    ending = {"rasa": "yml", "jsonl": "jsonl", "corrections": "jsonl"}.get(form, "json")
    path = tmp_path / f"x.{ending}"
    path.write_text(export([one], form, names=frozenset({"person"})).text)
    assert "Lee" not in path.read_text()
    (back,) = read_corrections(path, "bob")
    assert back.text == "a Ann? <NAME> at 8"
    assert [back.text[e.start : e.end] for e in back.entities or ()] == ["<NAME>", "8"]


def test_a_file_has_of_each_text_what_holds_now() -> None:
    spans = (EntityAnnotation(0, 3, "dish", "hot"),)
    older = make("hot soup?", intent="complaint")
    marked = make("hot soup?", intent=None, entities=spans, predicted=Prediction("greet", 0.9))
    newer = make("Hot  soup?", intent="menu")
    done = export([newer, older, marked], "jsonl")
    assert list(done.left_out) == [older.id, marked.id]
    assert json.loads(done.text) == {"text": "Hot  soup?", "intent": "menu", "entities": []}
    done = export([older, marked], "jsonl")
    assert [json.loads(done.text)[key] for key in ("intent", "entities")] == [
        "complaint",
        [{"start": 0, "end": 3, "label": "dish", "value": "hot"}],
    ]


def test_a_label_that_yaml_cannot_hold_costs_its_own_line_only(tmp_path: Path) -> None:
    odd = make("hot", entities=(EntityAnnotation(0, 3, "a\x00b", "hot"),))
    done = export([odd, make("hi")], "rasa")
    (tmp_path / "nlu.yml").write_text(done.text)
    assert [e.text for e in load_nlu([tmp_path / "nlu.yml"]).examples] == ["hi"]
    assert done.left_out == {odd.id: "its text cannot be written in Rasa's markup"}


@pytest.mark.parametrize("form", ["jsonl", "corrections"])
def test_a_text_with_a_line_separator_comes_back(tmp_path: Path, form: Format) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(export([make("one\u2028two\x85three")], form).text)
    (back,) = read_corrections(path, "bob")
    assert back.text == "one\u2028two\x85three"
