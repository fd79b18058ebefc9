from datetime import date
from pathlib import Path

import pytest

from agent.prompts.budget import DailyBudget


def test_a_day_s_calls_are_counted_by_all_and_begin_anew_the_next_day(tmp_path: Path) -> None:
    day = date(2026, 1, 1)
    one = DailyBudget(tmp_path / "deep" / "calls.json", 3, lambda: day)
    other = DailyBudget(tmp_path / "deep" / "calls.json", 3, lambda: day)
    assert [one.take(), other.take(), one.take(), other.take()] == [True, True, True, False]
    day = date(2026, 1, 2)
    assert one.take()


def test_without_calls_nothing_is_asked(tmp_path: Path) -> None:
    assert not DailyBudget(tmp_path / "calls.json", 0).take()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"day": 5}'])
def test_a_damaged_count_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "calls.json").write_text(text)
    assert DailyBudget(tmp_path / "calls.json", 1).take()


def test_where_nothing_can_be_counted_nothing_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert not DailyBudget(tmp_path / "file" / "calls.json", 5).take()
