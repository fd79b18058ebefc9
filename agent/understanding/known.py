"""What the training data says word for word: a text's class and spans, a value's label."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

from agent.understanding.bio import TaggedSpan
from agent.understanding.labels import SpanType
from agent.understanding.memory import fold
from agent.understanding.runtime import KnownExamples

T = TypeVar("T", bound=Hashable)
Spans = tuple[TaggedSpan, ...]


@dataclass(frozen=True, slots=True)
class KnownTexts:
    """The training texts by their folded form; what stands there in several ways is left out.

    `classes` maps a text to its class, `spans` to its spelling and its spans (of texts that have
    some), `kinds` maps the words of a span to what they are.
    """

    classes: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, tuple[str, Spans]] = field(default_factory=dict)
    kinds: Mapping[str, SpanType] = field(default_factory=dict)

    @classmethod
    def of(cls, examples: KnownExamples, classes: Sequence[str]) -> Self:
        """What the examples of a model with these classes say."""
        folded = [fold(text) for text in examples.texts]
        names = frozenset(classes)
        named = zip(folded, examples.classes.tolist(), strict=True)
        marked = list(zip(folded, examples.texts, examples.spans, strict=False))
        return cls(
            {text: name for text, name in _unequivocal(named).items() if name in names},
            _unequivocal((key, (text, spans)) for key, text, spans in marked if spans),
            _unequivocal(
                (fold(text[s.start : s.end]), s.kind) for _, text, spans in marked for s in spans
            ),
        )

    def class_of(self, text: str) -> str | None:
        """The class of a text that stands word for word in the training data."""
        return self.classes.get(fold(text))

    def spans_of(self, text: str, found: Sequence[TaggedSpan]) -> Sequence[TaggedSpan]:
        """The spans that were found in a text, or what the training data says in their place.

        It does of a text that stands there with spans, and where nothing was found in a text
        that is nothing but the words of a span there.
        """
        key = fold(text)
        spelled, spans = self.spans.get(key, ("", ()))
        last = max((span.end for span in spans), default=0)
        # What follows the last span, a "?" for example, moves none of them.
        if spans and spelled[:last].lower() == text[:last].lower():
            return spans
        kind = self.kinds.get(key) if not found else None
        if kind is None:
            return found
        words = text.strip().rstrip(".!?")
        start = text.find(words)
        return (TaggedSpan(start, start + len(words), kind, 1.0),)


def _unequivocal(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """What each text goes with, for those that go with one thing only."""
    first: dict[str, T] = {}
    several: set[str] = set()
    for text, thing in pairs:
        if first.setdefault(text, thing) != thing:
            several.add(text)
    return {text: thing for text, thing in first.items() if text not in several}
