"""Character spans to BIO tags on first sub-words and back, in any Unicode text."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agent.errors import ProjectError
from agent.project.types import EntityAnnotation, Example
from agent.understanding.labels import SpanType
from agent.understanding.tag_paths import OUTSIDE, best_tags, likeliest_tags

Floats = NDArray[np.float32]
# Signs of the writing direction are invisible, like joiners, but belong to no word.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of text that is tagged as a whole: characters `[start:end]` of the text.

    `token` is the index of its first sub-word among the encoded tokens, the one that
    carries the tag.
    """

    token: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TaggedSpan:
    """A decoded span: characters `[start:end]`, its type, and a probability in [0, 1]."""

    start: int
    end: int
    kind: SpanType
    confidence: float


def find_units(text: str, offsets: Sequence[tuple[int, int]]) -> list[Unit]:
    """The units of a text, given each token's character offsets.

    A unit is a run of touching sub-words of one kind of character, so that the amount in
    "20eur" can be told from its currency; every ideograph or kana token stands alone.
    Tokens without a visible character (special tokens, padding, spaces) belong to no unit.
    Combining marks and joiners that follow a unit are part of it.
    """
    units: list[Unit] = []
    for token, offset in enumerate(offsets):
        start, end = _without_spaces(text, *offset)
        if end <= start:
            continue
        if units and _continues(text, units[-1], start):
            units[-1] = Unit(units[-1].token, units[-1].start, max(end, units[-1].end))
        else:
            units.append(Unit(token, start, end))
    return [Unit(u.token, u.start, _with_marks(text, u.end)) for u in units]


def _without_spaces(text: str, start: int, end: int) -> tuple[int, int]:
    # Some tokenizers count the space before a word as its first character, or as a token.
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _continues(text: str, unit: Unit, start: int) -> bool:
    if start < unit.end:
        # Byte-level tokenizers split one character over several tokens.
        return True
    if start > _with_marks(text, unit.end):
        return False
    before, after = _kind(text, start - 1), _kind(text, start)
    return before == after and before != "H"


def _kind(text: str, index: int) -> str:
    """A rough class: letter, number, ideograph or kana (H), other; marks take their base's."""
    while index > 0 and _is_mark(text[index]):
        index -= 1
    char = text[index]
    code = ord(char)
    if 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF:
        return "H"
    if 0x20000 <= code <= 0x3FFFF:
        return "H"
    category = unicodedata.category(char)[0]
    return category if category in "LN" else "S"


def _is_mark(char: str) -> bool:
    # Category Cf holds the zero-width joiners; variation selectors are Mn. Below the soft hyphen
    # there is none, which saves most look-ups.
    if char < "\xad" or char in _DIRECTIONS:
        return False
    return unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf")


def _with_marks(text: str, end: int) -> int:
    while end < len(text) and _is_mark(text[end]):
        end += 1
    return end


def check_spans(example: Example) -> None:
    """Refuse annotations that do not lie inside the text or that overlap.

    Raises:
        ProjectError: names the spans, the file and the line.
    """
    ordered = sorted(example.entities, key=lambda span: (span.start, span.end))
    for span in ordered:
        if not 0 <= span.start < span.end <= len(example.text):
            raise _refusal(
                example,
                f"entity {span.label!r} at [{span.start}:{span.end}] is not inside the text "
                f"of {len(example.text)} characters; correct its start and end",
            )
    for first, second in pairwise(ordered):
        if second.start < first.end:
            raise _refusal(
                example,
                f"entities {first.label!r} ({example.text[first.start : first.end]!r}) and "
                f"{second.label!r} ({example.text[second.start : second.end]!r}) overlap; "
                "annotate each character at most once",
            )


def _refusal(example: Example, message: str) -> ProjectError:
    place = example.place
    return ProjectError(
        f"{message} (in {example.text[:60]!r})", path=place.path or None, line=place.line or None
    )


def span_type(span: EntityAnnotation) -> SpanType:
    """The type an annotation asks for."""
    return SpanType(span.label, span.role, span.group)


def encode_spans(
    units: Sequence[Unit], spans: Sequence[EntityAnnotation], types: Sequence[SpanType]
) -> tuple[list[int], list[EntityAnnotation]]:
    """A tag for each unit: 0 = O, 1 + 2k = B of type k, 2 + 2k = I of type k.

    A unit belongs to a span that it shares a character with. Returns the tags and the
    spans that no unit touches (cut off by truncation, or of characters the tokenizer
    drops), which nothing can learn.
    """
    index = {kind: k for k, kind in enumerate(types)}
    tags, lost = [OUTSIDE] * len(units), []
    for span in spans:
        inside = [
            i
            for i, unit in enumerate(units)
            if unit.start < span.end and span.start < unit.end and tags[i] == OUTSIDE
        ]
        if not inside:
            lost.append(span)
        for position, i in enumerate(inside):
            tags[i] = 1 + 2 * index[span_type(span)] + (position > 0)
    return tags, lost


def decode_tags(
    units: Sequence[Unit],
    tags: Sequence[int],
    types: Sequence[SpanType],
    confidences: Sequence[float] | None = None,
) -> list[TaggedSpan]:
    """The spans of a valid tag sequence, first to last; inverse of `encode_spans`.

    `confidences` has one value for each span in order; without it they are 1.
    """
    spans: list[TaggedSpan] = []
    for (first, last), k in _runs(tags):
        confidence = 1.0 if confidences is None else float(confidences[len(spans)])
        spans.append(TaggedSpan(units[first].start, units[last].end, types[k], confidence))
    return spans


def _runs(tags: Sequence[int]) -> list[tuple[tuple[int, int], int]]:
    """The spans as ((first unit, last unit), type)."""
    runs: list[tuple[tuple[int, int], int]] = []
    for i, tag in enumerate(tags):
        if tag == OUTSIDE:
            continue
        if tag % 2 == 0 and runs and runs[-1][0][1] == i - 1 and runs[-1][1] == (tag - 1) // 2:
            runs[-1] = ((runs[-1][0][0], i), runs[-1][1])
        else:
            runs.append(((i, i), (tag - 1) // 2))
    return runs


def decode_logits(
    units: Sequence[Unit],
    logits: Floats,
    types: Sequence[SpanType],
    follows: Floats | None = None,
) -> list[TaggedSpan]:
    """The best valid spans of a text.

    Args:
        units: the text's units.
        logits: (T, L) entity logits of all its tokens, L = 1 + 2 * len(types).
        types: the span types in the order of the tags.
        follows: (L, L), see `transitions.follow_scores`; None = every valid step alike.
    """
    if not units or not types:
        return []
    rows = np.asarray(logits, dtype=np.float32)[[unit.token for unit in units]]  # (U, L)
    if not rows.argmax(axis=1).any():
        return []
    scores = rows - rows.max(axis=1, keepdims=True)
    scores = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    tags = best_tags(scores) if follows is None else likeliest_tags(scores, follows)
    if not any(tags):
        return []
    return decode_tags(units, tags, types, _confidences(np.exp(scores), tags))


def _confidences(probabilities: Floats, tags: Sequence[int]) -> list[float]:
    """For each span, the product of its tags' probabilities and of that it ends there."""
    values = []
    for (first, last), k in _runs(tags):
        inside = probabilities[range(first, last + 1), tags[first : last + 1]]
        ends = 1.0 - probabilities[last + 1, 2 + 2 * k] if last + 1 < len(tags) else 1.0
        values.append(float(np.clip(np.prod(inside) * ends, 0.0, 1.0)))
    return values
