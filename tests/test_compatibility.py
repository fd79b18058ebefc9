"""The table of Rasa's surface names tests that exist, in every row."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLE = (HERE / "compatibility.md").read_text("utf-8")
NAMES = re.findall(r"`([\w/]+\.py)::(test_\w+)`", TABLE)


@pytest.mark.parametrize(("file", "test"), NAMES)
def test_a_named_test_exists(file: str, test: str) -> None:
    text = (HERE / file).read_text("utf-8")
    assert re.search(rf"^(async )?def {test}\(", text, re.MULTILINE)


def test_every_row_names_a_test() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []
