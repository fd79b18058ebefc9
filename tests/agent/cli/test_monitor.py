"""`agent monitor` as its user runs it, with a small model of a project's own."""

import json
from pathlib import Path

from tests.conftest import Run

LINES = (
    '{"text": "where is my parcel", "date": "2026-01-01T10:00:00Z"}\n'
    '{"text": "hello", "date": "2026-01-01T11:00:00Z"}\n'
)


def test_items_of_a_pipe_are_printed_as_json_lines(run_agent: Run, shop: Path) -> None:
    done = run_agent("monitor", "--json", "--project", str(shop), stdin=LINES + "broken\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["type"] for row in rows] == ["item", "item", "report"]
    assert rows[-1]["totals"] == {"items": 2, "broken": 1, "late": 0}
    assert "standard input:3" in done.stderr


def test_the_same_input_again_is_counted_once(run_agent: Run, shop: Path) -> None:
    for _ in range(2):
        done = run_agent("monitor", "--json", "--project", str(shop), stdin=LINES)
    assert json.loads(done.stdout)["totals"]["items"] == 2


def test_windows_of_another_length_need_a_fresh_start(run_agent: Run, shop: Path) -> None:
    run_agent("monitor", "--project", str(shop), stdin=LINES)
    arguments = ("monitor", "--window", "24", "--project", str(shop))
    refused = run_agent(*arguments, stdin=LINES)
    assert refused.returncode == 2
    assert "--fresh" in refused.stderr
    assert run_agent(*arguments, "--fresh", stdin=LINES).returncode == 0


def test_a_monitor_goes_on_in_the_windows_that_it_has_counted_in(
    run_agent: Run, shop: Path
) -> None:
    run_agent("monitor", "--window", "24", "--project", str(shop), stdin=LINES)
    done = run_agent("monitor", "--report", "--json", "--project", str(shop))
    assert json.loads(done.stdout)["window_s"] == 24 * 3600
    assert "goes on in windows of 24 h" in done.stderr


def test_alarms_that_nobody_can_check_are_said_to_be_so(run_agent: Run, shop: Path) -> None:
    arguments = ("monitor", "--project", str(shop), "--webhook", "http://127.0.0.1:1/alarms")
    assert "unsigned" in run_agent(*arguments, stdin=LINES).stderr


def test_a_model_without_a_sentiment_cannot_count_it(run_agent: Run, shop: Path) -> None:
    done = run_agent("monitor", "--count", "negative", "--project", str(shop), stdin=LINES)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no head `sentiment`" in done.stderr


def test_a_missing_file_and_two_sources_are_told_in_one_line(run_agent: Run, shop: Path) -> None:
    for arguments in (
        ("gone.jsonl",),
        ("a.jsonl", "--turns"),
        ("--count", "loud"),
        ("--webhook", "a"),
    ):
        done = run_agent("monitor", *arguments, "--project", str(shop))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
