"""Sums of money: from what a customer writes to whole cents, and back to text."""

import re
from dataclasses import dataclass

SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
MAX_CENTS = 100_000_000_000

_UNITS = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7},
    **{"eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13},
    **{"fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18},
    "nineteen": 19,
}
_TENS = {
    **{"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70},
    **{"eighty": 80, "ninety": 90},
}
_NUMBER = re.compile(r"\d[\d.,' \u00a0]*")
_NEGATIVE = re.compile(r"(?:^|\s)[-\u2212]\s*[€$£¥]?\s*\d")
_THOUSANDS = re.compile(r"^\s*(?:k|thousand|grand)\b", re.IGNORECASE)
_MILLIONS = re.compile(r"^\s*(?:m|mio|million)\b", re.IGNORECASE)
_CENTS = re.compile(r"^\s*(?:p|c|cents?|pence)\b", re.IGNORECASE)
_NOT_EXACT = re.compile(
    r"^\s*(?:%|percent\b|[-\u2013/*^\u00d7+]\s*\d|[a-z]+[+-]?\d)", re.IGNORECASE
)
_POINT_FIRST = re.compile(r"(?:^|[\s€$£¥])[.,]$")
_GROUPED = re.compile(r"(\d+|[1-9]\d{0,2}(?:([., ])\d{3})(?:\2\d{3})*)(?:([.,])(\d{1,2}))?")
_NOT_IN_WORDS = frozenset(
    (
        *("half", "quarter", "dozen", "point", "million", "millions", "billion"),
        *("cent", "cents", "pence", "penny", "percent"),
    )
)
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of money in whole cents; `currency` is an ISO code or None where none was written."""

    cents: int
    currency: str | None = None


def parse_sum(text: str) -> Sum | None:
    """The first sum in a text, or None if there is none that can be read to the cent.

    >>> parse_sum("about €1,200.50")
    Sum(cents=120050, currency='EUR')
    >>> parse_sum("two hundred and five").cents
    20500
    """
    text = str(text)
    currency = next((code for sign, code in SIGNS.items() if sign in text), None)
    if _NEGATIVE.search(text):
        return None
    found = _NUMBER.search(text)
    if found and _POINT_FIRST.search(text[: found.start()]):
        return None
    cents = _from_digits(found.group(), text[found.end() :]) if found else _from_words(text)
    if cents is None or cents > MAX_CENTS:
        return None
    return Sum(cents, currency)


def format_cents(cents: int) -> str:
    """A sum in euros as people write it.

    >>> format_cents(-123456)
    '-€1,234.56'
    """
    sign = "-" if cents < 0 else ""
    return f"{sign}€{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def _from_digits(number: str, rest: str) -> int | None:
    """Cents of a number in English or continental notation and the word after it."""
    if _NOT_EXACT.match(rest) or rest[:1].isnumeric():
        return None
    cents = _cents_of(re.sub(r"['\u00a0]", " ", number).strip(" .,"))
    if cents is None:
        return None
    if _THOUSANDS.match(rest):
        return None if re.search(r"[.,]\d{3}", number) else cents * 1_000
    if _MILLIONS.match(rest):
        return cents * 1_000_000
    if _CENTS.match(rest):
        return None if cents % 100 else cents // 100
    return cents


def _cents_of(number: str) -> int | None:
    """`1,234.5`, `1.234,50` or `12` in cents; the last mark with one or two digits is decimal."""
    match = _GROUPED.fullmatch(number)
    if match is None or (match.group(2) and match.group(2) == match.group(3)):
        return None
    whole = re.sub(r"[., ]", "", match.group(1))
    if len(whole) > 12:
        return None
    return int(whole) * 100 + int((match.group(4) or "0").ljust(2, "0"))


def _from_words(text: str) -> int | None:
    """`one hundred and twenty` in cents; None without a number word or with "two fifty"."""
    total, part, seen = 0, 0, False
    words = _WORD.findall(text.lower())
    if not _NOT_IN_WORDS.isdisjoint(words):
        return None
    for word in words:
        if word in _UNITS or word in _TENS:
            value = _UNITS.get(word, _TENS.get(word, 0))
            if part % (10 if value < 10 else 100):
                return None
            part += value
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word in ("thousand", "grand", "k"):
            total, part = total + max(part, 1) * 1_000, 0
        else:
            continue
        seen = True
    return (total + part) * 100 if seen else None
