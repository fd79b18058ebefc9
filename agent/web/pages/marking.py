"""A text in pieces, each plain or marked as an entity, for a page to show."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.project.types import EntityAnnotation


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a text; `label` is the entity's, None for plain text."""

    text: str
    label: str | None = None


def pieces(text: str, entities: Iterable[EntityAnnotation]) -> list[Piece]:
    """The whole text in order; spans that overlap an earlier one or lie outside are left plain.

    >>> pieces("to Ana", [EntityAnnotation(3, 6, "payee", "Ana")])
    [Piece(text='to ', label=None), Piece(text='Ana', label='payee')]
    """
    found, at = [], 0
    for entity in sorted(entities, key=lambda one: (one.start, one.end)):
        if not at <= entity.start < entity.end <= len(text):
            continue
        if entity.start > at:
            found.append(Piece(text[at : entity.start]))
        found.append(Piece(text[entity.start : entity.end], entity.label))
        at = entity.end
    if at < len(text):
        found.append(Piece(text[at:]))
    return found
