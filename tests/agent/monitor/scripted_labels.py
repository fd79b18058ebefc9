"""A labeller with a script: the first word is the topic, the second the sentiment."""

from collections.abc import Sequence

from agent.monitor.items import Item
from agent.monitor.labels import Labelled
from agent.turn import Entity


class ScriptedLabeller:
    """Reads `topic sentiment rest @Name`; counts what it was asked."""

    has_sentiment = True

    def label(self, items: Sequence[Item], topics: Sequence[str | None] = ()) -> list[Labelled]:
        return [
            _labelled(item, topic)
            for item, topic in zip(items, topics or [None] * len(items), strict=True)
        ]


def _labelled(item: Item, topic: str | None) -> Labelled:
    words = item.text.split()
    names = [word[1:] for word in words if word.startswith("@")]
    entities = tuple(Entity("organization", 0, 1, name, name) for name in names)
    return Labelled(item, topic or words[0], 0.9, words[1], 0.8, 1.0, entities)
