"""Bounds on facts that a wish says in words: "under 100 minutes", "from 1990 on"."""

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "under": operator.lt,
    "below": operator.lt,
    "less than": operator.lt,
    "shorter than": operator.lt,
    "cheaper than": operator.lt,
    "before": operator.lt,
    "at most": operator.le,
    "up to": operator.le,
    "no more than": operator.le,
    "over": operator.gt,
    "above": operator.gt,
    "more than": operator.gt,
    "longer than": operator.gt,
    "after": operator.gt,
    "at least": operator.ge,
    "since": operator.ge,
    "from": operator.ge,
}
_PHRASE = re.compile(
    rf"\b(?P<word>{'|'.join(sorted(_COMPARE, key=len, reverse=True))})\s+"
    r"(?P<currency>[€$£])?\s?(?P<number>\d+(?:[.,]\d+)?)(?:\s?(?P<unit>[^\W\d_]+|[€$£]))?",
    re.I,
)
# What a unit measures, where no fact of the items has its name.
_MEASURES: Mapping[str, tuple[str, ...]] = {
    "minute": ("length", "duration", "runtime"),
    "min": ("minutes", "length", "duration", "runtime"),
    "page": ("length",),
    "year": ("age",),
    **dict.fromkeys(("€", "$", "£", "euro", "dollar", "pound", "eur", "usd"), ("price", "cost")),
}
_IN_TIME = ("before", "after", "since", "from")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")


@dataclass(frozen=True, slots=True)
class Bound:
    """A number that a fact must lie below or above; `phrase` is what said so."""

    fact: str
    compare: Callable[[float, float], bool]
    number: float
    phrase: str

    def holds(self, value: float) -> bool:
        """Whether a fact's value is within the bound."""
        return self.compare(value, self.number)


def bounds_of(text: str, facts: Collection[str]) -> list[Bound]:
    """The bounds that a text names for the items' facts; other numbers are left to the words.

    >>> [(one.fact, one.number) for one in bounds_of("under 90 minutes", {"minutes"})]
    [('minutes', 90.0)]
    """
    found = []
    for phrase in _PHRASE.finditer(text):
        fact = next((name for name in _candidates(phrase) if name in facts), None)
        if fact is not None:
            number = float(phrase["number"].replace(",", "."))
            compare = _COMPARE[phrase["word"].lower()]
            found.append(Bound(fact, compare, number, phrase[0]))
    return found


def _candidates(phrase: re.Match[str]) -> Iterator[str]:
    """The names that the fact may have, the likeliest first."""
    unit = (phrase["currency"] or phrase["unit"] or "").lower()
    if unit:
        single = unit.removesuffix("s")
        yield from (unit, single, f"{single}s", *_MEASURES.get(single, ()))
    if phrase["word"].lower() in _IN_TIME and _YEAR.fullmatch(phrase["number"]):
        yield "year"
