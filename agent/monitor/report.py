"""What a monitor knows in all, as one document."""

import asyncio
from collections import Counter
from typing import Any

from agent.monitor.emerging import new_topics
from agent.monitor.labels import NO_TOPIC
from agent.monitor.monitor import Monitor
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.encoder_source import DEFAULT_ENCODER

_ITEMS = 20_000
_ENTITIES = 20


async def report(monitor: Monitor) -> dict[str, Any]:
    """Totals, items by topic and sentiment, the most named entities, alarms and new topics."""
    state = await monitor.log.state()
    totals = {name: int(state.get(name, 0)) for name in ("items", "broken", "late")}
    return {
        "totals": totals,
        "window_s": monitor.watch.rules.width_s,
        "topics": _by_sentiment(monitor, "topic"),
        "entities": _by_sentiment(monitor, "entity", most=_ENTITIES),
        "alarms": await monitor.log.alarms(),
        "new_topics": await _new_topics(monitor),
    }


def _by_sentiment(monitor: Monitor, kind: str, most: int | None = None) -> dict[str, Any]:
    sums: dict[str, Counter[str]] = {}
    for series, windows in monitor.watch.history.counts.items():
        if series.kind == kind:
            found = sums.setdefault(series.name, Counter())
            for counts in windows.values():
                found.update(counts)
    ordered = sorted(sums.items(), key=lambda pair: -pair[1].total())
    return {name: {"items": c.total(), **dict(sorted(c.items()))} for name, c in ordered[:most]}


async def _new_topics(monitor: Monitor) -> list[dict[str, Any]]:
    rows = await monitor.log.items(limit=_ITEMS)
    outside = [row for row in rows if row["topic"] == NO_TOPIC]
    if not outside:
        return []
    # The frozen encoder: a network trained on the topics folds what is none of them together.
    encoder = await asyncio.to_thread(
        lambda: Encoder.load(encoder_folder(DEFAULT_ENCODER), threads=1)
    )
    found = await asyncio.to_thread(new_topics, outside, encoder.encode)
    return [topic.as_json() for topic in found]
