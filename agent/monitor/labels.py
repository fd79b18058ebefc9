"""Items with their topic, sentiment and entities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.feedback.masking import mask
from agent.monitor.items import Item
from agent.monitor.windows import ALL, Series, field_name, window_of
from agent.storage.monitor_log import ItemRecord
from agent.turn import FALLBACK_INTENT, OOS_INTENT, Entity, IntentScore, Understanding
from agent.understanding.interpreter import Interpreter

SENTIMENT_HEAD = "sentiment"
NEGATIVE = "negative"
NO_TOPIC = "none"
NO_SENTIMENT = "unknown"
# Entities that name who or what an item is about are counted from this confidence on.
_SURE = 0.5
COUNTED = ("organization", "person", "ticker")


@dataclass(frozen=True, slots=True)
class Labelled:
    """An understood item; confidences are in [0, 1], None where nothing was asked.

    `topic` is `none` where it fits no topic; `sentiment` is `unknown` without such a head.
    """

    item: Item
    topic: str
    confidence: float | None
    sentiment: str
    sentiment_confidence: float | None
    in_scope: float
    entities: tuple[Entity, ...] = ()

    def as_json(self, *, masking: bool) -> dict[str, Any]:
        """What is printed and kept; with `masking`, without personal data."""
        item = self.item
        text = mask(item.text).text if masking else item.text
        whole = text == item.text
        return {
            "id": item.id,
            "date": item.date.isoformat(),
            "source": item.source,
            "text": text,
            "topic": self.topic,
            "confidence": _rounded(self.confidence),
            "sentiment": self.sentiment,
            "sentiment_confidence": _rounded(self.sentiment_confidence),
            "in_scope": round(self.in_scope, 4),
            # Offsets and values of a masked text would bring back what was masked.
            "entities": [_entity(one) for one in self.entities] if whole else [],
        }

    def record(self, width_s: int, *, masking: bool) -> ItemRecord:
        """What the monitor's log keeps and counts."""
        names = {named(e) for e in self.entities if e.label in COUNTED and _is_sure(e)}
        series = [Series(ALL), Series("topic", self.topic)]
        series += [Series("entity", name) for name in sorted(names) if name]
        window = window_of(self.item.date, width_s)
        return ItemRecord(
            self.item.id,
            window,
            {**self.as_json(masking=masking), "window": window},
            [field_name(one, self.sentiment) for one in series],
        )


@dataclass(slots=True)
class Labeller:
    """Understands items in batches; topics that are known already are kept.

    Args:
        interpreter: its intents are the topics, its head `sentiment` the sentiment.
    """

    interpreter: Interpreter

    @property
    def has_sentiment(self) -> bool:
        """Whether the model can tell the sentiment."""
        return SENTIMENT_HEAD in self.interpreter.spec.heads

    def label(self, items: Sequence[Item], topics: Sequence[str | None] = ()) -> list[Labelled]:
        """The items understood, in their order; `topics` replaces the model's own."""
        found = self.interpreter.understand([item.text for item in items])
        known = topics or [None] * len(items)
        return [_labelled(*row) for row in zip(items, found, known, strict=True)]


def _labelled(item: Item, found: Understanding, topic: str | None) -> Labelled:
    best = IntentScore(topic, 1.0) if topic else found.intent
    name = best.intent if best else NO_TOPIC
    sentiment = next(iter(found.heads.get(SENTIMENT_HEAD, ())), None)
    return Labelled(
        item=item,
        topic=NO_TOPIC if name in (FALLBACK_INTENT, OOS_INTENT) else name,
        confidence=best.confidence if best else None,
        sentiment=sentiment.intent if sentiment else NO_SENTIMENT,
        sentiment_confidence=sentiment.confidence if sentiment else None,
        in_scope=found.in_scope,
        entities=found.entities,
    )


def named(entity: Entity) -> str:
    """The name under which an entity is counted, whatever its capitals and its cash tag."""
    return " ".join(str(entity.value).strip("$#@'\" .,").casefold().split())[:80]


def _is_sure(entity: Entity) -> bool:
    """Whether an entity is worth counting: a name with a letter, more likely than not."""
    sure = entity.confidence is None or entity.confidence >= _SURE
    return sure and any(char.isalpha() for char in str(entity.value))


def _entity(entity: Entity) -> dict[str, Any]:
    return {
        "label": entity.label,
        "value": entity.value,
        "start": entity.start,
        "end": entity.end,
        "confidence": _rounded(entity.confidence),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
