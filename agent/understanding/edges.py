"""Takes off a span the punctuation around it: "9:30 pm." ends with its "m"."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from agent.understanding.bio import TaggedSpan

# What Rasa's tokenizers keep on a word, too.
_OF_WORDS = frozenset("#@&_")
# What ends a sentence or its parts: it belongs to a span only with a word that is known to have it.
_STOPS = frozenset(".,!?;:…。，、！？；：")


@dataclass(frozen=True, slots=True)
class Edges:
    """The punctuation that a label's spans begin or end with in training.

    A sign such as "%" or a bracket by itself, a stop with its word in small letters ("p.m."). All
    other punctuation at a span's edge belongs to the sentence, as for Rasa, whose
    WhitespaceTokenizer leaves it out of every token.
    """

    known: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Sequence[str], spans: Sequence[Sequence[TaggedSpan]]) -> Self:
        """Those of annotated texts."""
        known: dict[str, set[str]] = defaultdict(set)
        for text, row in zip(texts, spans, strict=True):
            for span in row:
                known[span.kind.label] |= set(_edges(text, span.start, span.end))
        return cls({label: frozenset(words) for label, words in known.items()})

    def trim(self, text: str, spans: Sequence[TaggedSpan]) -> tuple[TaggedSpan, ...]:
        """The spans without the sentence's punctuation; one of nothing else is left out.

        >>> from agent.understanding.labels import SpanType
        >>> span = TaggedSpan(3, 8, SpanType("time"), 1.0)
        >>> [s.end for s in Edges().trim("at 9 pm.", [span])]
        [7]
        """
        trimmed = (self._trimmed(text, span) for span in spans)
        return tuple(span for span in trimmed if span.end > span.start)

    def _trimmed(self, text: str, span: TaggedSpan) -> TaggedSpan:
        own = self.known.get(span.kind.label, frozenset())
        start, end = span.start, span.end
        while start < end and _is_mark(text[end - 1]) and _edges(text, start, end)[1] not in own:
            end -= 1
        while start < end and _is_mark(text[start]) and _edges(text, start, end)[0] not in own:
            start += 1
        if (start, end) == (span.start, span.end):
            return span
        return replace(span, start=start, end=end)


def _edges(text: str, start: int, end: int) -> tuple[str, str]:
    """What a span begins and ends with: a character, or, of a stop, its word."""
    words = text[start:end].lower().split() or [" "]
    first, last = text[start], text[end - 1]
    return (
        words[0] if first in _STOPS else first,
        words[-1] if last in _STOPS else last,
    )


def _is_mark(char: str) -> bool:
    """Whether a character is a space or punctuation, but for what tokenizers keep on words."""
    if char.isalnum() or char in _OF_WORDS:
        return False
    return char.isspace() or unicodedata.category(char)[0] == "P"
