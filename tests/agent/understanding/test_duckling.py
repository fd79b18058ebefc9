"""Duckling in its process: offsets, languages, time zones, and what must not break it."""

import os
import signal
import threading
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("duckling", reason="Duckling has no build for this machine")

from agent.understanding.duckling import Duckling

# Tuesday, 24 November 2026, 12:00 in Berlin.
NOW_S = datetime(2026, 11, 24, 11, tzinfo=UTC).timestamp()
ALL = ["time", "duration", "number", "ordinal", "amount-of-money", "email", "phone-number", "url"]
ALL += ["distance", "quantity", "temperature", "volume", "credit-card-number"]
SLOW = "tomorrow at 5 pm on friday in may " * 4


@pytest.fixture(scope="module")
def english() -> Duckling:
    return Duckling("EN_US", "Europe/Berlin")


def found(duckling: Duckling, text: str, *dimensions: str) -> list[tuple[str, object]]:
    matches = duckling.find(text, dimensions or ALL, NOW_S)
    return [(text[m["start"] : m["end"]], m["value"].get("value")) for m in matches]


@pytest.mark.parametrize(
    ("dimension", "text", "value", "unit"),
    [
        ("time", "tomorrow at 5pm", "2026-11-25T17:00:00.000+01:00", None),
        ("duration", "two weeks", 2, "week"),
        ("number", "forty two", 42, None),
        ("ordinal", "the third", 3, None),
        ("amount-of-money", "$1,250.50", 1250.5, "$"),
        ("email", "jo@example.org", "jo@example.org", None),
        ("phone-number", "+49 30 123456", "(+49) 30123456", None),
        ("url", "https://example.org/a", "https://example.org/a", None),
        ("distance", "3 miles", 3, "mile"),
        ("quantity", "2 cups", 2, "cup"),
        ("temperature", "20 degrees celsius", 20, "celsius"),
        ("volume", "5 liters", 5, "litre"),
        ("credit-card-number", "4111-1111-1111-1111", "4111111111111111", None),
    ],
)
def test_each_dimension_is_read(
    english: Duckling, dimension: str, text: str, value: object, unit: str | None
) -> None:
    (match,) = english.find(f"it is {text}", [dimension], NOW_S)
    assert f"it is {text}"[match["start"] : match["end"]] in text
    assert match["value"]["value"] == value
    assert match["value"].get("unit") == unit


def test_an_interval_has_two_ends(english: Duckling) -> None:
    (match,) = english.find("from 3 to 5 pm on friday", ["time"], NOW_S)
    assert match["value"]["type"] == "interval"
    assert match["value"]["from"]["value"] == "2026-11-27T15:00:00.000+01:00"


@pytest.mark.parametrize(
    "before", ["😀👩‍👩‍👧 ", "明天 ", "שלום ", "e\u0301te\u0301 ", "a\0b ", "\ud800 ", "٣ "]
)
def test_offsets_count_characters_of_any_script(english: Duckling, before: str) -> None:
    text = before + "50 euros"
    assert (text.index("50 euros"), len(text)) in [
        (m["start"], m["end"]) for m in english.find(text, ["amount-of-money"], NOW_S)
    ]


def test_other_languages_are_read() -> None:
    german = Duckling("DE", "Europe/Berlin")
    assert found(german, "für 1.000,50 Euro", "amount-of-money") == [("1.000,50 Euro", 1000.5)]
    chinese = Duckling("ZH_CN", "Asia/Shanghai")
    assert found(chinese, "明天下午三点", "time") == [
        ("明天下午三点", "2026-11-25T15:00:00.000+08:00")
    ]


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
def test_times_have_the_offset_that_the_zone_has_on_that_day(zone: str) -> None:
    duckling = Duckling("EN_US", zone)
    for month in ("january", "july"):
        (match,) = duckling.find(f"{month} 4 2030 at noon", ["time"], NOW_S)
        read = datetime.fromisoformat(match["value"]["value"])
        assert read.utcoffset() == read.astimezone(ZoneInfo(zone)).utcoffset()
        assert (read.hour, read.day) == (12, 4)


def test_a_text_that_takes_too_long_has_no_values_and_the_next_one_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    duckling = Duckling("EN_US", "UTC", limit_s=0.2)
    assert duckling.find(SLOW, ["time", "number"], NOW_S) == []
    assert "took too long" in caplog.text
    assert found(duckling, "two", "number") == [("two", 2)]


def test_a_process_that_was_killed_is_started_again() -> None:
    duckling = Duckling("EN_US", "UTC")
    assert found(duckling, "two", "number") == [("two", 2)]
    assert duckling._child is not None
    os.kill(duckling._child.process.pid, signal.SIGKILL)
    duckling._child.process.wait()
    assert found(duckling, "three", "number") == [("three", 3)]


def test_threads_get_their_own_answers(english: Duckling) -> None:
    wrong: list[int] = []

    def ask(first: int) -> None:
        wrong.extend(
            n
            for n in range(first, first + 50)
            if found(english, f"number {n}", "number") != [(str(n), n)]
        )

    threads = [threading.Thread(target=ask, args=(100 * i,)) for i in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_empty_text_has_no_values(english: Duckling) -> None:
    assert english.find("  ", ALL, NOW_S) == []
    assert english.find("two", [], NOW_S) == []
