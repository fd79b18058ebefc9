import json
import logging
import sys

import pytest

from agent.web.logs import JsonLines, Lines, request_id

CARD = "4111 1111 1111 1111"


def entry(*, failed: bool = False) -> logging.LogRecord:
    """An entry that quotes what a user wrote."""
    if not failed:
        said = ("conversation %r waits for %s", ("jo@example.com", CARD))
        return logging.LogRecord("agent", logging.WARNING, "x.py", 1, *said, None)
    try:
        raise ValueError(f"cannot read {CARD}")
    except ValueError:
        return logging.LogRecord("agent", logging.ERROR, "x.py", 1, "failed", (), sys.exc_info())


@pytest.mark.parametrize("how", [JsonLines, Lines])
@pytest.mark.parametrize("failed", [False, True])
def test_no_personal_data_gets_into_the_log(how: type[logging.Formatter], failed: bool) -> None:
    line = how().format(entry(failed=failed))
    assert CARD not in line
    assert "jo@example.com" not in line
    assert "<CARD>" in line


def test_an_entry_in_json_names_its_request() -> None:
    token = request_id.set("r-7")
    try:
        found = json.loads(JsonLines().format(entry()))
    finally:
        request_id.reset(token)
    assert found["request_id"] == "r-7"
    assert found["level"] == "warning"
    assert found["message"] == "conversation '<EMAIL>' waits for <CARD>"
