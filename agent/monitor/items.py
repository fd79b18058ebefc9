"""The items that a monitor reads: JSON lines, checked, with a time."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from knowledge.errors import InputError

MAX_CHARS = 4000
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_AHEAD = timedelta(days=1)
# A number this large counts milliseconds: as seconds it would lie after the year 5000.
_MILLISECONDS = 1e11


@dataclass(frozen=True, slots=True)
class Item:
    """A text to watch; `id` is counted once, `date` is UTC-aware."""

    id: str
    text: str
    date: datetime
    source: str = ""


def read_item(data: Any, *, place: str, now: datetime, before: datetime | None = None) -> Item:
    """An item from its JSON object: `text`, and if given `date`, `source` and `id`.

    Args:
        data: what the line held.
        place: where it stood; the item's id unless it brings its own.
        now: the present; later dates than a day ahead are refused.
        before: the time of the item before, which one without a date is given; None: now.

    Raises:
        InputError: says what is wrong with it.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"is no JSON object with a text: {_short(data)}")
    text = data.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"has no text: {_short(text)}")
    date = data.get("date")
    moment = (before or now) if date in (None, "") else read_date(date)
    if moment > now + _AHEAD:
        raise InputError(f"has a date in the future: {_short(date)}")
    given = data.get("id")
    return Item(
        id=f"id:{given}" if isinstance(given, str | int) and given != "" else place,
        text=" ".join(text.split())[:MAX_CHARS],
        date=moment,
        source=str(data.get("source") or "")[:200],
    )


def read_line(line: str, *, place: str, now: datetime, before: datetime | None = None) -> Item:
    """An item from a line of JSON; see `read_item`."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON object: {error}") from error
    return read_item(data, place=place, now=now, before=before)


def read_date(value: Any) -> datetime:
    """A time as ISO 8601, or as seconds or milliseconds since 1970; without a zone it is UTC.

    >>> read_date("2026-03-01T12:00:00+02:00").isoformat()
    '2026-03-01T10:00:00+00:00'

    Raises:
        InputError: it is none of these.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        if isinstance(value, str):
            read = datetime.fromisoformat(value.strip())
            moment = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        else:
            seconds = value / 1000 if value > _MILLISECONDS else value
            moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"has no date that can be read: {_short(value)}") from error
    if moment < _EARLIEST:
        raise InputError(f"has a date before 1970: {_short(value)}")
    return moment


def place_of(name: str, position: int | str) -> str:
    """The id of an item that stands at a position of a named source."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{digest}:{position}"


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"
