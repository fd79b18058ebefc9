"""Values in messages, normalized: numbers, money, times, addresses, card and account numbers.

Precedence, where spans overlap: among entities of one label the value stands, with the role,
group and confidence of the network's or pattern's span that it replaces; entities of different
labels stand side by side, as in Rasa. Duckling's own overlapping values all stand, but those in
an IBAN.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, Protocol

from agent.feedback.masking import card_spans, iban_spans
from agent.project.values_config import IBAN, SPACY_EXTRACTOR, SPACY_VALUES, ValuesConfig
from agent.turn import Entity
from agent.understanding.duckling import Duckling, Match
from agent.understanding.spacy_values import spacy_entities

_log = logging.getLogger(__name__)
EXTRACTOR = "DucklingEntityExtractor"
EXTRACTORS = frozenset({EXTRACTOR, SPACY_EXTRACTOR})
"""What values are said to come from."""


class Finder(Protocol):
    """What finds Duckling's matches; `Duckling` is the real one."""

    def find(self, text: str, dimensions: Sequence[str], time_s: float) -> list[Match]:
        """The matches in a text."""


@dataclass(frozen=True, slots=True)
class Values:
    """Finds what a project asks for; `clock` gives the present in seconds since 1970."""

    config: ValuesConfig
    finder: Finder | None
    clock: Callable[[], float] = field(default=time.time)

    def find(self, text: str) -> list[Entity]:
        """The values in a text in its order, also those that only `normalize` names."""
        asked = dict.fromkeys((*self.config.dimensions, *self.config.normalize.values()))
        parts = [part for dims in SPACY_VALUES.values() for part in dims]
        all_asked = dict.fromkeys((*asked, *(parts if self.config.spacy else ())))
        dimensions = [name for name in all_asked if name != IBAN]
        matches: list[Match] = []
        if self.finder is not None:
            matches = self.finder.find(_joined_cards(text), dimensions, self.clock())
        named = spacy_entities(text, matches, self.config.spacy)
        ibans = list(_ibans(text)) if IBAN in self.config.dimensions else []
        others = [*(_entity(text, match) for match in matches if match["dim"] in asked), *named]
        # The groups of an account number are no numbers, times or phones.
        found = [*ibans, *(e for e in others if not any(_overlap(e, iban) for iban in ibans))]
        return sorted(found, key=lambda entity: (entity.start, entity.end))

    def join(self, entities: Sequence[Entity], found: Sequence[Entity]) -> list[Entity]:
        """A message's other entities and its values as one list, in order of the text."""
        kept = [_read_as(e, self.config, found) for e in entities if e.extractor not in EXTRACTORS]
        asked = (*self.config.dimensions, *self.config.spacy)
        shown = [value for value in found if value.label in asked]
        joined = [_with_twin(value, kept) for value in shown]
        rest = [e for e in kept if not any(_overlap(e, v) and e.label == v.label for v in shown)]
        return sorted([*rest, *joined], key=lambda entity: (entity.start, entity.end))


def open_values(config: ValuesConfig) -> Values:
    """The values of a project; without the package those of Duckling are missing, and logged."""
    if find_spec("duckling") is None:
        _log.warning("values are not found: there is no package pyduckling-native-phihos here")
        return Values(config, None)
    return Values(config, Duckling(config.locale, config.timezone))


def _entity(text: str, match: Match) -> Entity:
    start, end, value = match["start"], match["end"], match["value"]
    return Entity(
        match["dim"],
        start,
        end,
        text[start:end],
        _plain(value),
        extractor=EXTRACTOR,
        additional_info=value,
    )


def _plain(value: dict[str, Any]) -> Any:
    """The value as Rasa gives it: of an interval its two ends, else Duckling's best reading."""
    if value.get("type") != "interval":
        return value.get("value")
    ends = {side: (value.get(side) or {}).get("value") for side in ("to", "from")}
    return ends


def _ibans(text: str) -> Iterator[Entity]:
    for start, end in iban_spans(text):
        number = "".join(char for char in text[start:end] if char.isalnum()).upper()
        info = {"value": number, "country": number[:2], "type": "value"}
        yield Entity(
            IBAN,
            start,
            end,
            text[start:end],
            number,
            extractor=EXTRACTOR,
            additional_info=info,
        )


def _joined_cards(text: str) -> str:
    """The text with hyphens for the spaces in card numbers, which Duckling reads; offsets stay."""
    for start, end in card_spans(text):
        text = text[:start] + text[start:end].replace(" ", "-") + text[end:]
    return text


def _read_as(entity: Entity, config: ValuesConfig, found: Sequence[Entity]) -> Entity:
    """The entity with the value that the project wants its label read as, where there is one."""
    dimension = config.normalize.get(entity.label)
    inside = [v for v in found if v.label == dimension and _overlap(v, entity)]
    if not inside:
        return entity
    best = max(inside, key=lambda v: min(v.end, entity.end) - max(v.start, entity.start))
    return replace(entity, value=best.value, additional_info=best.additional_info)


def _with_twin(value: Entity, others: Sequence[Entity]) -> Entity:
    twin = next((e for e in others if e.label == value.label and _overlap(e, value)), None)
    if twin is None:
        return value
    return replace(value, role=twin.role, group=twin.group, confidence=twin.confidence)


def _overlap(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end
