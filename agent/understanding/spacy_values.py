"""Duckling's values under the names that spaCy's entities have: DATE, MONEY, CARDINAL and others.

The labels are those of OntoNotes 5 that spaCy's models use; as there, spans of different labels
never overlap: the longest stands, so that the day of a date is no CARDINAL.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from agent.project.values_config import SPACY_EXTRACTOR, SPACY_VALUES
from agent.turn import Entity
from agent.understanding.duckling import Match

_PERCENT = re.compile(
    r"\s?(?:[%％٪]|(?:per ?cent|prozent|por ?ciento|pour ?cent)\b)", re.IGNORECASE
)
# Duckling's times begin with their preposition, spaCy's do not.
_PREPOSITION = re.compile(r"(?:in|on|at|for|by|from|since|until|within|during)\s+", re.IGNORECASE)
_DAYTIME = {"hour", "minute", "second"}


def spacy_entities(text: str, matches: Sequence[Match], labels: Collection[str]) -> list[Entity]:
    """The values in a text as spaCy's entities, in its order; a value is its words, as there.

    Args:
        text: a message.
        matches: Duckling's, of all dimensions that any of spaCy's labels is made of.
        labels: those that are wanted.
    """
    order = list(SPACY_VALUES)
    named = sorted(_named(text, matches), key=lambda n: (n[1] - n[2], order.index(n[0])))
    kept: list[Entity] = []
    for label, start, end in named:
        if not any(e.start < end and start < e.end for e in kept):
            words = text[start:end]
            kept.append(Entity(label, start, end, words, words, extractor=SPACY_EXTRACTOR))
    return sorted((e for e in kept if e.label in labels), key=lambda e: e.start)


def _named(text: str, matches: Sequence[Match]) -> Iterator[tuple[str, int, int]]:
    """Each value's label, start and end."""
    for match in matches:
        dimension, start, end = match["dim"], match["start"], match["end"]
        sign = _PERCENT.match(text, end)
        if dimension == "number":
            yield ("PERCENT", start, sign.end()) if sign else ("CARDINAL", start, end)
        elif dimension in ("time", "duration"):
            word = _PREPOSITION.match(text, start, end)
            yield _time_label(match["value"]), word.end() if word else start, end
        else:
            label = next((n for n, dims in SPACY_VALUES.items() if dimension in dims), None)
            if label is not None:
                yield label, start, end


def _time_label(value: dict[str, Any]) -> str:
    """TIME for what is shorter than a day, else DATE."""
    ends = [value, *(value.get(side) or {} for side in ("from", "to"))]
    return "TIME" if any(e.get("grain", e.get("unit")) in _DAYTIME for e in ends) else "DATE"
