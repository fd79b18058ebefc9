import json
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ProjectError
from agent.project import load_nlu, load_nlu_and_notices


def write(tmp_path: Path, *rows: Any) -> Path:
    file = tmp_path / "examples.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_rows_become_examples(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"text": "to Rome", "intent": "go", "entities": [{"start": 3, "end": 7, "label": "city"}]},
        {"text": "tell me a joke", "intent": "oos"},
        {"text": "Rome", "intent": None, "labels": {"tone": "flat"}},
        {"text": "good", "label": "positive"},
        "",
        {"text": "when?", "intent": "faq/hours"},
    )
    examples = load_nlu([file]).examples
    assert [e.intent for e in examples] == ["go", "oos", None, "positive", "faq"]
    [entity] = examples[0].entities
    assert (entity.label, entity.value) == ("city", "Rome")
    assert dict(examples[2].labels) == {"tone": "flat"}
    assert examples[4].response == "faq/hours"
    assert examples[4].place.line == 6


@pytest.mark.parametrize(
    ("row", "key", "word"),
    [
        ("{", None, "is no JSON object"),
        ([1], None, "must be a JSON object"),
        ({"intent": "a"}, "text", "must be the message"),
        ({"text": 5}, "text", "must be the message"),
        ({"text": "a", "intent": 5}, "intent", "is a name or null"),
        ({"text": "a", "labels": ["x"]}, "labels", "must map each head"),
        ({"text": "a", "entities": {}}, "entities", "must be a list"),
        ({"text": "a", "entities": [3]}, r"entities\[0\]", "must be an object"),
        (
            {"text": "a", "entities": [{"start": 0, "end": 5, "label": "x"}]},
            r"entities\[0\]",
            "no span of the 1 characters",
        ),
        ({"text": "a", "entities": [{"start": 0, "end": 1}]}, r"entities\[0\]", "needs a label"),
    ],
)
def test_a_wrong_row_is_an_error_with_file_line_and_key(
    row: Any, key: str | None, word: str, tmp_path: Path
) -> None:
    file = write(tmp_path, {"text": "fine", "intent": "a"}, row)
    where = rf"examples\.jsonl:2: {key + ': ' if key else ''}.*{word}"
    with pytest.raises(ProjectError, match=where):
        load_nlu([file])


def test_files_without_examples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no training example"):
        load_nlu([write(tmp_path, "")])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"absent\.jsonl.*No such file"):
        load_nlu([tmp_path / "absent.jsonl"])


def test_yaml_and_jsonl_may_be_mixed(tmp_path: Path) -> None:
    yaml = tmp_path / "nlu.yml"
    yaml.write_text("nlu:\n- intent: a\n  examples: |\n    - x\n", encoding="utf-8")
    data = load_nlu([yaml, write(tmp_path, {"text": "y", "intent": "b"})])
    assert [(e.text, e.intent) for e in data.examples] == [("x", "a"), ("y", "b")]


def test_an_unknown_key_is_told_once_with_its_first_line_and_what_may_be_meant(
    tmp_path: Path,
) -> None:
    file = tmp_path / "examples.jsonl"
    row = '{"text": "pay anna", "intent": "pay", "entites": []}\n'
    file.write_text('{"text": "hello", "intent": "greet"}\n' + row + row)
    (notice,) = load_nlu_and_notices([file])[1]
    assert (notice.place.line, notice.key) == (2, "entites")
    assert "is 'entities' meant?" in notice.message


def test_an_intent_is_declared_by_a_description(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(
        '{"text": "hi", "intent": "greet"}\n'
        '{"intent": "weather", "description": "the user asks about the weather"}\n'
    )
    data = load_nlu([path])
    assert [e.text for e in data.examples] == ["hi"]
    assert data.intent_metadata == {"weather": {"description": "the user asks about the weather"}}


@pytest.mark.parametrize(
    "line",
    [
        '{"description": "x"}',
        '{"intent": "a", "description": ""}',
        '{"intent": 5, "description": "x"}',
    ],
)
def test_a_description_without_intent_or_words_is_refused_with_its_line(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"text": "hi", "intent": "greet"}\n' + line + "\n")
    with pytest.raises(ProjectError, match=r"train\.jsonl:2"):
        load_nlu([path])
