"""Behaviour as events: what is read, and what is refused with its reason."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.recommend.events import BadRow, Event, read_csv, read_event
from knowledge.errors import InputError

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_rating_says_how_much_somebody_likes_an_item() -> None:
    ratings = [Event("u", "i", "rate", AT, value).weight for value in (5.0, 4.0, 3.0, 1.0)]
    assert ratings == sorted(ratings, reverse=True)
    assert ratings[0] == 1.0
    assert ratings[-1] < 0 < ratings[1]


def test_a_csv_in_movielens_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("user,item,rating,timestamp\n1,7,4.5,1767225600\n")
    assert list(read_csv(path)) == [Event("1", "7", "rate", AT, 4.5)]


def test_wrong_rows_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("user,item,kind,at\nu,,like,\nu,i,hug,\nu,i,like,never\nu,i,like,2026-01-01\n")
    read = list(read_csv(path))
    assert [one.line for one in read if isinstance(one, BadRow)] == [2, 3, 4]
    assert read[-1] == Event("u", "i", "like", AT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"item": "i"}, "user"),
        ({"user": "u", "item": True}, "item"),
        ({"user": "u" * 500, "item": "i"}, "500 characters"),
        ({"user": "u", "item": "i", "rating": 9}, "between 0 and 5"),
        ({"user": "u", "item": "i", "rating": "nan"}, "between 0 and 5"),
        ({"user": "u", "item": "i", "at": {}}, "time"),
        ({"user": "u", "item": "i", "at": "2999-01-01"}, "future"),
    ],
)
def test_what_is_no_event_is_refused(data: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_event(data)


@pytest.mark.parametrize("text", ["", "name,item\n", "\x00\x01"])
def test_a_file_without_the_columns_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"column|cannot be read"):
        list(read_csv(path))
