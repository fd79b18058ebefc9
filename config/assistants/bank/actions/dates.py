"""Days and periods: from what a customer writes to calendar dates."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_NUMBERS |= {"seven": 7, "eight": 8, "nine": 9, "ten": 10, "couple": 2, "few": 3}
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_COUNT = r"(\d{1,3}|" + "|".join(_NUMBERS) + r")(?:\s+of)?"
_AGO = re.compile(rf"\b{_COUNT}\s+(day|week|month|year)s?\s+ago\b")
_PAST = re.compile(rf"\b(?:past|last|previous)\s+{_COUNT}\s+(day|week|month|year)s?\b")
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_NUMERIC = re.compile(r"\b(\d{1,2})[./](\d{1,2})(?:[./](\d{2,4}))?\b")
_DAY_MONTH = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?([a-z]{3,9})\.?(?:,?\s+(\d{4}))?")
_MONTH_DAY = re.compile(r"\b([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b(?:,?\s+(\d{4}))?")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `first` to `last`, both included."""

    first: date
    last: date


def parse_day(text: str, today: date) -> date | None:
    """The day that a text names, seen from `today`; a day without a year lies in the past.

    >>> parse_day("last friday", date(2026, 11, 23))
    datetime.date(2026, 11, 20)
    """
    words = str(text).lower().strip()
    return _relative_day(words, today) or _written_day(words, today)


def parse_period(text: str, today: date) -> Period | None:
    """The days that a text covers: a day, a week, a month, a year or the last n days.

    >>> parse_period("last month", date(2026, 11, 23)).first
    datetime.date(2026, 10, 1)
    """
    words = str(text).lower().strip()
    period = _named_period(words, today) or _past_period(words, today)
    if period is not None:
        return period
    day = parse_day(words, today)
    if day is not None:
        return Period(day, day)
    return _month_period(words, today)


def format_day(day: date) -> str:
    """A date as `3 Nov 2026`."""
    return f"{day.day} {day:%b %Y}"


def _relative_day(words: str, today: date) -> date | None:
    if "day before yesterday" in words:
        return today - timedelta(days=2)
    if re.search(r"\b(yesterday|last night)\b", words):
        return today - timedelta(days=1)
    if re.search(r"\b(today|this (?:morning|afternoon|evening)|tonight)\b", words):
        return today
    if "tomorrow" in words:
        return today + timedelta(days=1)
    ago = _AGO.search(words)
    if ago:
        return today - timedelta(days=_count(ago.group(1)) * _UNIT_DAYS[ago.group(2)])
    return _weekday(words, today)


def _weekday(words: str, today: date) -> date | None:
    """The latest such weekday before today; after a "next", the first one after it."""
    for number, name in enumerate(_WEEKDAYS):
        if re.search(rf"\b{name[:3]}(?:{name[3:]}s?)?\b", words):
            if "next" in words:
                return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)
            return today - timedelta(days=(today.weekday() - number - 1) % 7 + 1)
    return None


def _written_day(words: str, today: date) -> date | None:
    iso = _ISO.search(words)
    if iso:
        return _date(int(iso.group(1)), int(iso.group(2)), int(iso.group(3)))
    numeric = _NUMERIC.search(words)
    if numeric:
        day, month, year = numeric.groups()
        return _past_day(int(day), int(month), _year(year), today)
    for pattern, day_at, month_at in ((_DAY_MONTH, 1, 2), (_MONTH_DAY, 2, 1)):
        for match in pattern.finditer(words):
            month_number = _month(match.group(month_at))
            if month_number:
                day_number = int(match.group(day_at))
                return _past_day(day_number, month_number, _year(match.group(3)), today)
    ordinal = _ORDINAL.search(words)
    return _latest_monthday(int(ordinal.group(1)), today) if ordinal else None


def _named_period(words: str, today: date) -> Period | None:
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    last_month = first - timedelta(days=1)
    year = today.replace(month=1, day=1)
    last_year = year - timedelta(days=1)
    named = {
        "this week": Period(monday, today),
        "last week": Period(monday - timedelta(days=7), monday - timedelta(days=1)),
        "weekend": Period(monday - timedelta(days=2), monday - timedelta(days=1)),
        "this month": Period(first, today),
        "last month": Period(last_month.replace(day=1), last_month),
        "this year": Period(year, today),
        "last year": Period(last_year.replace(month=1, day=1), last_year),
    }
    return next((period for name, period in named.items() if name in words), None)


def _past_period(words: str, today: date) -> Period | None:
    past = _PAST.search(words)
    if past is None:
        return None
    days = _count(past.group(1)) * _UNIT_DAYS[past.group(2)]
    return Period(today - timedelta(days=days), today)


def _month_period(words: str, today: date) -> Period | None:
    """A whole month by its name, the latest one that has begun."""
    for word in re.findall(r"[a-z]+", words):
        month = _month(word)
        if month:
            year = today.year if month <= today.month else today.year - 1
            first = date(year, month, 1)
            after = date(year + month // 12, month % 12 + 1, 1)
            return Period(first, after - timedelta(days=1))
    return None


def _month(word: str) -> int | None:
    for number, name in enumerate(_MONTHS, start=1):
        if word == name or (len(word) >= 3 and word in (name[:3], name[:4])):
            return number
    return None


def _count(word: str) -> int:
    return int(word) if word.isdecimal() else _NUMBERS[word]


def _year(text: str | None) -> int | None:
    if not text:
        return None
    return int(text) + (2000 if len(text) == 2 else 0)


def _past_day(day: int, month: int, year: int | None, today: date) -> date | None:
    if year is not None:
        return _date(year, month, day)
    this_year = _date(today.year, month, day)
    if this_year is not None and this_year <= today:
        return this_year
    return _date(today.year - 1, month, day)


def _latest_monthday(day: int, today: date) -> date | None:
    """The latest such day of a month, today included; a month that lacks it is skipped."""
    month = today.replace(day=1)
    for _ in range(3):
        found = _date(month.year, month.month, day)
        if found is not None and found <= today:
            return found
        month = (month - timedelta(days=1)).replace(day=1)
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
