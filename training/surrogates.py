"""Made-up values in the place of masked ones, so that what stands on a placeholder is learned.

Users write names, not `<NAME>`: a network that learned from placeholders would know only these.
Source: surrogates in de-identified clinical notes (Uzuner, Luo & Szolovits 2007).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from agent.feedback.names import PLACEHOLDER
from agent.project.types import EntityAnnotation, Example, NluData

# fmt: off
_FIRST = (
    "Anna", "Maria", "David", "Sofia", "Daniel", "Laura", "Peter", "Elena", "Thomas", "Nadia",
    "Samuel", "Priya", "Omar", "Julia", "Marco", "Ingrid", "Viktor", "Aisha", "Robert", "Yuki",
    "Karim", "Helen", "Andre", "Lucia", "Ivan", "Chloe",
)
_LAST = (
    "Miller", "Novak", "Rossi", "Keller", "Silva", "Jensen", "Brown", "Kowalski", "Haddad",
    "Tanaka", "Okafor", "Moreau", "Gupta", "Larsen", "Walker", "Petrov", "Lopez", "Schmidt",
    "Ahmed", "Murphy", "Costa", "Weber", "Nguyen",
)
# fmt: on
_CHINESE = ("王芳", "李伟", "张敏", "刘洋", "陈静", "杨磊", "赵丽", "黄强", "周杰", "吴倩")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_NAMED = re.compile(r"name|person|^per$|payee", re.IGNORECASE)
_MADE_UP: Mapping[str, Sequence[str]] = {
    "<EMAIL>": ("anna@example.com", "d.miller@example.org", "sofia.rossi@example.net"),
    "<PHONE>": ("030 5550123", "+44 20 7946 0958", "415 555 0134"),
}


@dataclass(frozen=True, slots=True)
class Surrogates:
    """Fills placeholders that are marked as entities.

    `values` are those that training data has for each label; names of people, and addresses where
    it has none, are made up.
    """

    values: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, data: NluData) -> Self:
        """With the values of training data: its annotations and lookup tables."""
        found: dict[str, dict[str, None]] = {}
        for label, words in data.lookups.items():
            found.setdefault(label, {}).update(dict.fromkeys(words))
        for example in data.examples:
            for span in example.entities:
                found.setdefault(span.label, {})[example.text[span.start : span.end]] = None
        return cls(
            {
                label: [word for word in words if not PLACEHOLDER.search(word)]
                for label, words in found.items()
            }
        )

    def fill(self, examples: Iterable[Example]) -> tuple[Example, ...]:
        """The examples with a value in the place of each placeholder that an entity stands on.

        The same example always gets the same values.
        """
        return tuple(self._filled(one) if _has_gap(one) else one for one in examples)

    def _filled(self, example: Example) -> Example:
        text, shift, entities = example.text, 0, list[EntityAnnotation]()
        for span in sorted(example.entities, key=lambda one: one.start):
            start, end, value = span.start + shift, span.end + shift, span.value
            words = text[start:end]
            if PLACEHOLDER.fullmatch(words):
                new = self._choose(example, span) or words
                text = text[:start] + new + text[end:]
                value = new if value in (None, words) else value
                shift += len(new) - len(words)
                end = start + len(new)
            entities.append(replace(span, start=start, end=end, value=value))
        return replace(example, text=text, entities=tuple(entities))

    def _choose(self, example: Example, span: EntityAnnotation) -> str | None:
        """A value for a span, by a stable draw; None if there is none to take."""
        draw = _draw(f"{example.text}\0{span.start}")
        placeholder = example.text[span.start : span.end]
        known = self.values.get(span.label)
        if placeholder == "<NAME>" and (not known or _NAMED.search(span.label)):
            # The few names of the training data would teach what is known already.
            return _name(draw, span.label, PLACEHOLDER.sub("", example.text))
        found = known or _MADE_UP.get(placeholder)
        return found[draw % len(found)] if found else None


def with_surrogates(data: NluData) -> NluData:
    """Training data whose marked placeholders are filled."""
    return replace(data, examples=Surrogates.of(data).fill(data.examples))


def _has_gap(example: Example) -> bool:
    return any(PLACEHOLDER.fullmatch(example.text, e.start, e.end) for e in example.entities)


def _name(draw: int, label: str, around: str) -> str:
    """A name as the text around it would have it: its script, its letters, first or last."""
    if _HAN.search(around):
        return _CHINESE[draw % len(_CHINESE)]
    first, last = _FIRST[draw % len(_FIRST)], _LAST[draw // len(_FIRST) % len(_LAST)]
    kind = label.casefold()
    if re.search(r"last|family|surname", kind):
        name = last
    elif re.search(r"first|given|nick", kind) or draw % 7 < 3:
        name = first
    else:
        name = f"{first} {last}"
    return name.lower() if around.islower() else name


def _draw(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8])
