import json
from typing import Any

import pytest

from tests.agent.project.conftest import ReadProject


def test_rasas_json_is_read(read: ReadProject) -> None:
    data = {
        "rasa_nlu_data": {
            "common_examples": [
                {
                    "text": "to NYC",
                    "intent": "go",
                    "entities": [{"start": 3, "end": 6, "entity": "city", "value": "New York"}],
                }
            ],
            "entity_synonyms": [{"value": "Rome", "synonyms": ["Roma"]}],
            "regex_features": [{"name": "zip", "pattern": "[0-9]{5}"}],
            "lookup_tables": [{"name": "city", "elements": ["Oslo"]}],
        }
    }
    project = read({"data/nlu.json": json.dumps(data)})
    [example] = project.nlu.examples
    assert (example.intent, example.entities[0].label) == ("go", "city")
    assert dict(project.nlu.synonyms) == {"nyc": "New York", "roma": "Rome"}
    assert dict(project.nlu.lookups) == {"city": ("Oslo",)}
    assert project.notices == ()


@pytest.mark.parametrize(
    ("data", "maker"),
    [
        ({"luis_schema_version": "5"}, "LUIS"),
        ({"supportedLanguages": []}, "Dialogflow"),
        ({"utterances": []}, "Wit"),
    ],
)
def test_another_makers_format_is_named_and_refused(
    data: Any, maker: str, read: ReadProject
) -> None:
    project = read({"data/x.json": json.dumps(data)}, base=True)
    [notice] = project.notices
    assert notice.level == "error"
    assert maker in notice.message


def test_other_json_is_left_alone(read: ReadProject) -> None:
    files = {"data/a.json": "[1]", "data/b.json": '{"x": 1}'}
    assert read(files, base=True).notices == ()


@pytest.mark.parametrize(
    "content",
    [
        {"common_examples": 5},
        {"common_examples": [5]},
        {"common_examples": [{"text": 5}]},
        {"common_examples": [{"text": "a", "intent": 5}]},
        {"common_examples": [{"text": "a", "entities": [{"start": 0, "end": 9}]}]},
        {"common_examples": [{"text": "a", "entities": 5}]},
        {"entity_synonyms": "x"},
    ],
)
def test_broken_json_data_is_an_error(content: Any, read: ReadProject) -> None:
    project = read({"data/nlu.json": json.dumps({"rasa_nlu_data": content})}, base=True)
    assert [n.level for n in project.notices] == ["error"]
