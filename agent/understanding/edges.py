"""Takes off a span the punctuation around it: "9:30 pm." ends with its "m"."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from agent.understanding.bio import TaggedSpan

# What Rasa's tokenizers keep on a word, too.
_OF_WORDS = frozenset("#@&_")


@dataclass(frozen=True, slots=True)
class Edges:
    """The punctuation that spans of a label begin or end with in the training data.

    All other punctuation at a span's edge belongs to the sentence, as for Rasa, whose
    WhitespaceTokenizer leaves it out of every token.
    """

    known: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Sequence[str], spans: Sequence[Sequence[TaggedSpan]]) -> Self:
        """Those of annotated texts."""
        known: dict[str, set[str]] = defaultdict(set)
        for text, row in zip(texts, spans, strict=True):
            for span in row:
                known[span.kind.label] |= {text[span.start], text[span.end - 1]}
        return cls({label: frozenset(chars) for label, chars in known.items()})

    def trim(self, text: str, spans: Sequence[TaggedSpan]) -> tuple[TaggedSpan, ...]:
        """The spans without the sentence's punctuation; one of nothing else is left out.

        >>> from agent.understanding.labels import SpanType
        >>> [s.end for s in Edges({"time": frozenset("9m")}).trim(
        ...     "at 9 pm.", [TaggedSpan(3, 8, SpanType("time"), 1.0)])]
        [7]
        """
        trimmed = (self._trimmed(text, span) for span in spans)
        return tuple(span for span in trimmed if span.end > span.start)

    def _trimmed(self, text: str, span: TaggedSpan) -> TaggedSpan:
        own = self.known.get(span.kind.label, frozenset())
        start, end = span.start, span.end
        while start < end and _is_outside(text[end - 1], own):
            end -= 1
        while start < end and _is_outside(text[start], own):
            start += 1
        if (start, end) == (span.start, span.end):
            return span
        return replace(span, start=start, end=end)


def _is_outside(char: str, own: frozenset[str]) -> bool:
    if char.isalnum() or char in own or char in _OF_WORDS:
        return False
    return char.isspace() or unicodedata.category(char)[0] == "P"
