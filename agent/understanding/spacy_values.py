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
        start, end = match["start"], match["end"]
        sign = _PERCENT.match(text, end) if match["dim"] == "number" else None
        if sign:
            yield "PERCENT", start, sign.end()
        elif match["dim"] in ("time", "duration"):
            yield ("TIME" if _is_daytime(match["value"]) else "DATE"), start, end
        else:
            label = next((n for n, dims in SPACY_VALUES.items() if match["dim"] in dims), None)
            if label is not None:
                yield label, start, end


def _is_daytime(value: dict[str, Any]) -> bool:
    """Whether a time or a duration is shorter than a day."""
    ends = [value, *(value.get(side) or {} for side in ("from", "to"))]
    return any(end.get("grain", end.get("unit")) in _DAYTIME for end in ends)
