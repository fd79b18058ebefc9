"""Items as JSON lines: what is taken, and what is refused with its reason."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.monitor.items import MAX_CHARS, read_date, read_item, read_line
from knowledge.errors import InputError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_item_has_its_text_its_time_in_utc_and_its_source() -> None:
    line = '{"text": " Oil  up ", "date": "2026-03-01T10:00:00+02:00", "source": "wire"}'
    item = read_line(line, place="a:1", now=NOW)
    assert (item.text, item.date.hour, item.source, item.id) == ("Oil up", 8, "wire", "a:1")


def test_an_item_keeps_its_own_id() -> None:
    assert read_item({"text": "x", "id": 7}, place="a:1", now=NOW).id == "id:7"


def test_an_item_without_a_date_has_the_time_of_the_one_before() -> None:
    before = NOW - timedelta(days=3)
    assert read_item({"text": "x"}, place="p", now=NOW, before=before).date == before


def test_the_first_item_without_a_date_has_the_time_of_its_arrival() -> None:
    assert read_item({"text": "x", "date": None}, place="p", now=NOW).date == NOW


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ('{"title": "x"}', "no text"),
        ('{"text": "  "}', "no text"),
        ('{"text": 5}', "no text"),
        ('{"text": "x", "date": "yesterday"}', "no date"),
        ('{"text": "x", "date": true}', "no date"),
        ('{"text": "x", "date": 1e300}', "no date"),
        ('{"text": "x", "date": "2099-01-01"}', "in the future"),
        ('{"text": "x", "date": "1901-01-01"}', "before 1970"),
    ],
)
def test_a_line_that_is_no_item_says_why(line: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_line(line, place="p", now=NOW)


@pytest.mark.parametrize(
    "value", [1772366400, 1772366400000, "2026-03-01T12:00:00Z", "2026-03-01T12:00"]
)
def test_dates_come_as_iso_8601_or_as_a_number(value: object) -> None:
    assert read_date(value) == NOW


def test_a_very_long_text_is_cut() -> None:
    assert len(read_item({"text": "x" * 100_000}, place="p", now=NOW).text) == MAX_CHARS


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_whatever_a_date_holds_it_is_read_or_refused(value: object) -> None:
    with suppress(InputError):
        assert read_date(value).tzinfo is UTC
