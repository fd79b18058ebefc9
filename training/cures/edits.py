"""Edits of a message's text that keep its entities in place."""

from collections.abc import Iterator
from dataclasses import replace

from agent.project.types import Example

# (start, end, replacement) of a text's characters, in order and without overlap.
Edits = list[tuple[int, int, str]]


def edited(example: Example, edits: Edits) -> Example:
    """The example with its text edited; entities keep their letters, offsets follow the text."""
    text, done = "", 0
    for start, end, replacement in edits:
        text += example.text[done:start] + replacement
        done = end
    text += example.text[done:]
    moved = tuple(
        replace(e, start=_moved(e.start, edits), end=_moved(e.end, edits, is_end=True))
        for e in example.entities
    )
    return replace(example, text=text, entities=moved)


def free_words(example: Example) -> Iterator[tuple[int, int]]:
    """Spans of runs of letters outside entities."""
    start = None
    for i, char in enumerate(example.text + " "):
        if char.isalpha():
            start = i if start is None else start
        elif start is not None:
            if not any(e.start < i and start < e.end for e in example.entities):
                yield start, i
            start = None


def in_entity(example: Example, at: int) -> bool:
    """Whether a character belongs to an entity."""
    return any(e.start <= at < e.end for e in example.entities)


def touches_entity(example: Example, at: int) -> bool:
    """Whether a character belongs to an entity or stands beside one."""
    return any(e.start <= at + 1 and at <= e.end for e in example.entities)


def _moved(offset: int, edits: Edits, *, is_end: bool = False) -> int:
    """Where an offset is after the edits; what is inserted at a span's end stays outside."""
    return offset + sum(
        len(replacement) - (end - start)
        for start, end, replacement in edits
        if end <= offset and not (is_end and start == end == offset)
    )
