"""Which entities are names of people, and where they stand in a message."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from agent.feedback.correction import Correction
from agent.feedback.masking import Masked, MaskedSpan, mask, mask_annotations
from agent.project.types import EntityAnnotation

NameLabels = frozenset[str]
NO_NAMES: NameLabels = frozenset()
PLACEHOLDER = re.compile(r"<[A-Z]+>")
LANGUAGE_MODEL = "language model"
"""The extractor whose names do not count: the same message must be masked alike each time."""


class _Span(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


def name_labels(labels: Iterable[str]) -> NameLabels:
    """The labels in the form in which they are compared: any case is the same.

    >>> sorted(name_labels(["PERSON", "first_name"]))
    ['first_name', 'person']
    """
    return frozenset(label.casefold() for label in labels)


def name_spans(text: str, entities: Iterable[_Span], names: NameLabels) -> list[tuple[int, int]]:
    """Where entities of these labels stand in a text; what is masked already is none.

    >>> from agent.project.types import EntityAnnotation
    >>> name_spans("I am Ann", [EntityAnnotation(5, 8, "Person")], frozenset({"person"}))
    [(5, 8)]
    """
    return [
        (one.start, one.end)
        for one in entities
        if one.label.casefold() in names and _is_open(text, one.start, one.end)
    ]


def mask_message(text: str, entities: Iterable[_Span], names: NameLabels) -> Masked:
    """A text without personal data, names among these entities included."""
    return mask(text, name_spans(text, entities, names) if names else ())


def mask_correction(correction: Correction, found: Masked) -> Correction:
    """A correction of a masked text: its entities stand where they stood."""
    entities, predicted = correction.entities, correction.predicted
    return replace(
        correction,
        text=found.text,
        predicted=replace(predicted, entities=mask_annotations(found, predicted.entities)),
        entities=None if entities is None else mask_annotations(found, entities),
    )


def without_names(correction: Correction, names: NameLabels) -> Correction:
    """A correction as training data and files have it: without the names that it marks, either."""
    spans = name_spans(correction.text, correction.final_entities, names)
    return mask_correction(correction, mask(correction.text, spans)) if spans else correction


def mask_values(text: str, entities: Iterable[EntityAnnotation]) -> tuple[EntityAnnotation, ...]:
    """Entities of a masked text; those that stand on a placeholder have it as their value."""
    return tuple(
        replace(one, value=text[one.start : one.end])
        if PLACEHOLDER.fullmatch(text, one.start, one.end)
        else one
        for one in entities
    )


def heard_names(parsed: Mapping[str, Any], names: NameLabels) -> list[tuple[int, int]]:
    """Where names stand in a message, by its parse result (`text`, `entities`).

    A payload (`/inform{"name": "Ann"}`) says only that a name is in it: its value is looked for.
    """
    text, spans = str(parsed.get("text") or ""), list[tuple[int, int]]()
    if not names:
        return spans
    for entity in _named(parsed, names):
        start, end, value = entity.get("start"), entity.get("end"), entity.get("value")
        if not isinstance(start, int) or not isinstance(end, int):
            continue
        if parsed.get("source") == "payload":
            spans += _occurrences(text, value, start, end)
        elif _is_open(text, start, end):
            spans.append((start, end))
    return spans


def told_names(parsed: Mapping[str, Any], names: NameLabels) -> Iterator[str]:
    """The names in a message by its parse result, as written and as they are understood."""
    text = str(parsed.get("text") or "")
    for entity in _named(parsed, names):
        if isinstance(entity.get("value"), str):
            yield entity["value"]
    for start, end in heard_names(parsed, names):
        yield text[start:end]


def read_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> Masked:
    """A masked text with what was replaced in it: `(start, end, label)` of the original."""
    found, shift = [], 0
    for start, end, label in spans:
        span = MaskedSpan(start, end, label, start + shift)
        shift += len(span.placeholder) - (end - start)
        found.append(span)
    return Masked(text, tuple(found))


def _named(parsed: Mapping[str, Any], names: NameLabels) -> Iterator[Mapping[str, Any]]:
    for entity in parsed.get("entities") or ():
        if isinstance(entity, Mapping) and entity.get("extractor") != LANGUAGE_MODEL:
            label = entity.get("entity", entity.get("label"))
            if isinstance(label, str) and label.casefold() in names:
                yield entity


def _occurrences(text: str, value: Any, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Each place of a value in `text[start:end]`; all of it, if it is written otherwise there."""
    if not isinstance(value, str) or not value.strip() or PLACEHOLDER.fullmatch(value):
        return
    places = [m.span() for m in re.finditer(re.escape(value), text[start:end])]
    yield from ((start + first, start + last) for first, last in places)
    if not places and _is_open(text, start, end):
        yield start, end


def _is_open(text: str, start: int, end: int) -> bool:
    return 0 <= start < end <= len(text) and not PLACEHOLDER.fullmatch(text, start, end)
