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
    """The words with punctuation at their edge that a label's spans begin or end with in training.

    All other punctuation at a span's edge belongs to the sentence, as for Rasa, whose
    WhitespaceTokenizer leaves it out of every token. The words are in small letters.
    """

    known: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Sequence[str], spans: Sequence[Sequence[TaggedSpan]]) -> Self:
        """Those of annotated texts."""
        known: dict[str, set[str]] = defaultdict(set)
        for text, row in zip(texts, spans, strict=True):
            for span in row:
                first, last = _edge_words(text, span.start, span.end)
                if _is_mark(first[0]):
                    known[span.kind.label].add(first)
                if _is_mark(last[-1]):
                    known[span.kind.label].add(last)
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
        while start < end and _is_mark(text[end - 1]):
            if _edge_words(text, start, end)[1] in own:
                break
            end -= 1
        while start < end and _is_mark(text[start]):
            if _edge_words(text, start, end)[0] in own:
                break
            start += 1
        if (start, end) == (span.start, span.end):
            return span
        return replace(span, start=start, end=end)


def _edge_words(text: str, start: int, end: int) -> tuple[str, str]:
    words = text[start:end].lower().split() or [" "]
    return words[0], words[-1]


def _is_mark(char: str) -> bool:
    """Whether a character is a space or punctuation, but for what tokenizers keep on words."""
    if char.isalnum() or char in _OF_WORDS:
        return False
    return char.isspace() or unicodedata.category(char)[0] == "P"
