import json
from pathlib import Path

import pytest

from knowledge.errors import InputError
from knowledge.facts import load_facts


def test_tables_are_objects_of_their_file_s_type(tmp_path: Path) -> None:
    (tmp_path / "hotels.csv").write_text("name;stars;city\nRitz;5;Paris\n\nIbis;2\n")
    (tmp_path / "rooms.jsonl").write_text('{"name": "Suite", "beds": 2}\n{"name": "Cell"}\n')
    (tmp_path / "more.json").write_text(json.dumps({"bars": [{"id": 7, "drink": "tea"}]}))
    (tmp_path / "people.json").write_text(json.dumps([{"name": "Ann"}]))
    (tmp_path / "notes.txt").write_text("not a table")
    assert load_facts(tmp_path) == {
        "hotels": [
            {"name": "Ritz", "stars": "5", "city": "Paris", "id": 0},
            {"name": "Ibis", "stars": "2", "city": None, "id": 1},
        ],
        "rooms": [
            {"name": "Suite", "beds": 2, "id": 0},
            {"name": "Cell", "beds": None, "id": 1},
        ],
        "bars": [{"id": 7, "drink": "tea", "name": 7}],
        "people": [{"name": "Ann", "id": 0}],
    }


def test_a_project_without_tables_has_no_facts(tmp_path: Path) -> None:
    assert load_facts(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "", r"a\.csv:1: its first line"),
        ("a.csv", "x,x\n1,2", r"a\.csv:1: its first line"),
        ("a.csv", "x\n1,2", r"a\.csv:2: has 2 fields"),
        ("a.jsonl", '{"x": 1}\n{', r"a\.jsonl:2: not valid JSON"),
        ("a.jsonl", "[1]", r"a\.jsonl:1: expected an object"),
        ("a.json", '{"x": 1}', r"a\.json: x: must be a list"),
        ("a.json", "[1]", r"a\.json: expected an object"),
        ("a.csv", "\0\0", r"a\.csv: is binary"),
    ],
)
def test_a_broken_table_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=reason):
        load_facts(tmp_path)


def test_two_tables_of_one_type_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InputError, match="another table of 'a'"):
        load_facts(tmp_path)
