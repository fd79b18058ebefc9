"""Entity markup: `[text](label:value)`, `[text]{"entity": …}`, `[text][{…}, {…}]`."""

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from agent.errors import InputError
from agent.project.types import EntityAnnotation

# A bracket without brackets inside, then one of three tails. The lengths are bounded so that
# a hostile text costs linear time.
_ENTITY = re.compile(
    r"\[(?P<text>[^\[\]]+)\]"
    r"(?:\((?P<label>[^:()\[\]]{1,200})(?::(?P<value>[^)]{1,1000}))?\)"
    r"|\{(?P<one>[^}]{1,1000})\}|\[(?P<many>[^\]]{0,2000})\])"
)
_OBJECT = re.compile(r"\{[^}]+\}")
_SUSPECT = re.compile(r'\[[^\[\]]*\](?=[({])|\](?=\(|\s{0,3}\{\s{0,3}"entity")')
_KEYS = {"entity", "role", "group", "value"}


@dataclass(frozen=True, slots=True)
class Marked:
    """A text without its markup, its entities, and what is wrong with the markup.

    `problems` lose an entity (an error, as in Rasa); `doubts` look like markup and were none.
    """

    text: str
    entities: tuple[EntityAnnotation, ...] = ()
    problems: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def parse_markup(raw: str) -> tuple[str, tuple[EntityAnnotation, ...]]:
    """The plain text and the entities of an annotated text.

    Raises:
        InputError: an annotation is no JSON or names no entity.

    >>> text, entities = parse_markup("to [NYC](city:New York)")
    >>> text, entities[0].start, entities[0].value
    ('to NYC', 3, 'New York')
    """
    marked = scan_markup(raw)
    if marked.problems:
        raise InputError(marked.problems[0])
    return marked.text, marked.entities


def scan_markup(raw: str) -> Marked:
    """The same with everything that is wrong with the markup, instead of an error."""
    if "[" not in raw and "](" not in raw:
        return Marked(raw)
    parts: list[str] = []
    entities: list[EntityAnnotation] = []
    problems: list[str] = []
    doubts: list[str] = []
    length, last = 0, 0
    for match in _ENTITY.finditer(raw):
        before = raw[last : match.start()]
        word = match["text"]
        start = length + len(before)
        length, last = start + len(word), match.end()
        parts += [before, word]
        labels = _labels(match, problems)
        if not labels and not problems:
            doubts.append(f"bad entity markup {match[0]!r}: no entity, write [text](label)")
        for label, value, role, group in labels:
            shown = word if value is None else value
            entities.append(EntityAnnotation(start, length, label, shown, role, group))
    parts.append(raw[last:])
    text = "".join(parts)
    return Marked(text, tuple(entities), tuple(problems), (*doubts, *_leftovers(text)))


_Label = tuple[str, Any, str | None, str | None]


def _labels(match: re.Match[str], problems: list[str]) -> list[_Label]:
    """The (label, value, role, group) of one marked span."""
    if match["label"]:
        return [(match["label"].strip(), match["value"], None, None)]
    objects = [f"{{{match['one']}}}"] if match["one"] else _OBJECT.findall(match["many"])
    labels = (_from_object(item, match[0], problems) for item in objects)
    return [label for label in labels if label is not None]


def _from_object(text: str, whole: str, problems: list[str]) -> _Label | None:
    try:
        data = json.loads(text)
    except ValueError:
        problems.append(f"bad entity markup {whole!r}: {text} is not JSON")
        return None
    label = data.get("entity")
    if not isinstance(label, str) or not label:
        problems.append(f"bad entity markup {whole!r}: it names no `entity`")
        return None
    unknown = ", ".join(sorted(set(data) - _KEYS))
    if unknown:
        problems.append(
            f"bad entity markup {whole!r}: {unknown} is unknown (entity, role, group, value)"
        )
    role, group = (None if data.get(k) is None else str(data[k]) for k in ("role", "group"))
    return label, data.get("value"), role, group


def _leftovers(text: str) -> tuple[str, ...]:
    """What looks like markup and was none."""
    match = _SUSPECT.search(text)
    if match is None:
        return ()
    near = text[match.start() : match.start() + 40]
    return (f"this looks like entity markup but is read as plain text: {near!r}",)


def overlaps(entities: tuple[EntityAnnotation, ...]) -> tuple[EntityAnnotation, ...]:
    """The first two entities that share characters without being the same span, or nothing."""
    ordered = sorted(entities, key=lambda e: (e.start, e.end))
    for left, right in pairwise(ordered):
        if right.start < left.end and (left.start, left.end) != (right.start, right.end):
            return left, right
    return ()
