from pathlib import Path

import pytest

from knowledge.errors import AgentError
from knowledge.evaluate import evaluate
from knowledge.evaluation_table import table_rows, write_table

RANKINGS = {"a": ["x", "y"], "b": ["y", "x"], "c": ["z"]}
QRELS = {"a": {"x": 1.0}, "b": {"x": 1.0, "y": 0.0}, "c": {"x": 2.0}}
TEXTS = {"a": "first\tone", "b": "second", "c": "third"}


def test_the_table_has_a_row_a_query_and_the_misses_first(tmp_path: Path) -> None:
    rows = table_rows(evaluate(RANKINGS, QRELS), TEXTS, RANKINGS, QRELS)
    write_table(tmp_path / "t.tsv", rows)
    lines = [line.split("\t") for line in (tmp_path / "t.tsv").read_text().splitlines()]
    assert lines[1:] == [
        ["c", "0.0000", "0.0000", "0.0000", "x", "z", "third"],
        ["b", "0.6309", "1.0000", "0.5000", "x", "y x", "second"],
        ["a", "1.0000", "1.0000", "1.0000", "x", "x y", "first one"],
    ]


def test_a_table_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="nowhere"):
        write_table(tmp_path / "nowhere" / "t.tsv", [])
