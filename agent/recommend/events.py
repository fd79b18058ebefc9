"""Behaviour: who viewed, liked, rated or disliked which item, and when."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from agent.turn import now
from knowledge.errors import InputError

Kind = Literal["view", "like", "rate", "dislike"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_ID = 200
# Ratings from here on, out of five, say that somebody liked it; below the second, disliked.
LIKED, DISLIKED = 3.5, 2.5
_FIVE = 5.0
_VIEW = 0.3
_AHEAD = timedelta(days=1)  # clocks differ, and so do zones that are not named


@dataclass(frozen=True, slots=True)
class Event:
    """What a person did with an item; `value` is the rating of a `rate`, in [0, 5].

    `at` is UTC-aware. Two equal events are one.
    """

    user: str
    item: str
    kind: Kind
    at: datetime
    value: float | None = None

    @property
    def weight(self) -> float:
        """How much it says that the person likes the item, in [-1, 1]; below 0: dislikes."""
        if self.kind == "view":
            return _VIEW
        if self.kind == "rate" and self.value is not None:
            liked = (self.value - LIKED) / (_FIVE - LIKED) * 0.5 + 0.5
            return max(-1.0, min(1.0, liked if self.value >= DISLIKED else -1.0))
        return -1.0 if self.kind == "dislike" else 1.0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line of a file that holds no event, and why."""

    line: int
    reason: str


def read_event(data: Mapping[str, Any]) -> Event:
    """An event from JSON or a row: `user`, `item`, and `kind` or `rating`; `at` or `timestamp`.

    Without a time it happened now.

    Raises:
        InputError: says what is missing or wrong.
    """
    user, item = (_identifier(data, name) for name in ("user", "item"))
    rating = data.get("rating", data.get("value"))
    kind = data.get("kind") or data.get("event") or ("rate" if rating not in (None, "") else "view")
    if kind not in KINDS:
        raise InputError(f"kind {str(kind)[:40]!r} is unknown: use one of {', '.join(KINDS)}")
    times = (data.get(name) for name in ("at", "timestamp", "date"))
    at = next((time for time in times if time not in (None, "")), None)
    moment = now() if at is None else _moment(at)
    value = _rating(rating) if kind == "rate" else None
    return Event(user, item, kind, moment, value)


def read_csv(path: Path) -> Iterator[Event | BadRow]:
    """The events of a CSV file whose first line names the columns; wrong rows are told apart.

    Raises:
        InputError: it cannot be read, or has no columns `user` and `item`.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"user", "item"} - set(rows.fieldnames or ())
            if missing:
                raise InputError(
                    f"has no column {', '.join(sorted(missing))}: its first line must name "
                    "user, item and kind or rating, and may name timestamp",
                    path=path,
                )
            for row in rows:
                try:
                    yield read_event(row)
                except InputError as error:
                    yield BadRow(rows.line_num, error.message)
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", path=path) from error


def _identifier(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or str(value).strip() == "":
        raise InputError(f"{name} must be a name or number, not {value!r}")
    if len(str(value)) > MAX_ID:
        raise InputError(f"{name} has {len(str(value))} characters, at most {MAX_ID} are kept")
    return str(value).strip()


def _rating(value: Any) -> float:
    try:
        rating = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"rating must be a number, not {str(value)[:40]!r}") from error
    if not 0 <= rating <= _FIVE:
        raise InputError(f"rating must lie between 0 and 5, not {rating:g}")
    return rating


def _moment(value: Any) -> datetime:
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            read = datetime.fromisoformat(value)
            moment = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        else:
            moment = datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise InputError(f"no time that can be read: {str(value)[:40]!r}") from error
    if moment > now() + _AHEAD:
        raise InputError(f"a time in the future: {str(value)[:40]!r}")
    return moment
