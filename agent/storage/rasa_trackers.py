"""Conversations of a Rasa tracker store: an SQLite file, or trackers as JSON lines."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.dialogue.events import event_from_dict
from agent.errors import InputError

_SQLITE = b"SQLite format 3\x00"
Conversation = tuple[str, list[dict[str, Any]]]


def read_trackers(file: Path) -> Iterator[Conversation]:
    """Each conversation's id and events (Rasa's JSON), checked.

    Rasa's SQL tracker store keeps one row an event in the table `events`; JSON lines hold one
    tracker a line with `sender_id` and `events`, as `GET /conversations/ID/tracker` gives it.

    Raises:
        InputError: the file is neither, or holds what is no event; names the line.
    """
    try:
        with file.open("rb") as opened:
            start = opened.read(len(_SQLITE))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=file) from error
    yield from _sqlite(file) if start == _SQLITE else _json_lines(file)


def _sqlite(file: Path) -> Iterator[Conversation]:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            senders = [row[0] for row in database.execute("SELECT DISTINCT sender_id FROM events")]
            for sender in senders:
                rows = database.execute(
                    "SELECT data FROM events WHERE sender_id = ? ORDER BY timestamp, id", (sender,)
                )
                yield str(sender), [_event(json.loads(row[0]), file, 0) for row in rows]
    except (sqlite3.Error, ValueError) as error:
        raise InputError(f"is no tracker store of Rasa's: {error}", path=file) from error


def _json_lines(file: Path) -> Iterator[Conversation]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                tracker = json.loads(line)
                sender, events = str(tracker["sender_id"]), list(tracker["events"] or [])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    "is no tracker with `sender_id` and `events`", path=file, line=number
                ) from error
            yield sender, [_event(one, file, number) for one in events]


def _event(data: Any, file: Path, line: int) -> dict[str, Any]:
    """An event as it is stored here."""
    if not isinstance(data, Mapping):
        raise InputError(f"an event is an object, got {data!r:.80}", path=file, line=line or None)
    try:
        return event_from_dict(data).to_dict()
    except InputError as error:
        raise InputError(error.message, path=file, line=line or None) from error
