"""Texts without labels, from files and from the turn log."""

from pathlib import Path

import pytest

from agent.registry import mark_of
from agent.storage.store import Store
from training.cures.unlabelled import _logged, read_texts
from training.errors import InputError


def test_lines_and_json_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('first\n\n{"text": "second", "date": "2026-01-01"}\n  third  \n')
    assert read_texts(path) == ["first", "second", "third"]


@pytest.mark.parametrize("line", ['{"text": 1}', '{"other": "x"}', "{broken"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(f"fine\n{line}\n")
    with pytest.raises(InputError, match=r"texts\.jsonl:2: "):
        read_texts(path)


async def test_the_turn_log_gives_what_users_wrote_and_marks_of_who(tmp_path: Path) -> None:
    async with await Store.open("embedded:", tmp_path / "project") as store:
        for number, text in enumerate(("hello", "/restart", "hello", "where is it")):
            said = {"text": text, "received_at": "2026-01-01T00:00:00+00:00"}
            record = {"id": f"t{number}", "message": {**said, "conversation_id": "anna"}}
            await store.commit_turn(record, "anna", [])
        assert await _logged(store) == (["where is it", "hello"], [mark_of("anna")])
