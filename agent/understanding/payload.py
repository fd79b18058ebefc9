"""Messages that carry their meaning: `/intent`, `/intent@0.9`, `/intent{"entity": "value"}`."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.turn import Entity, IntentScore, Understanding

EXTERNAL_PREFIX = "EXTERNAL: "
_PAYLOAD = re.compile(
    r"^/(?P<intent>[^{@\s][^{@]*)(?:@(?P<confidence>[0-9.]+))?\s*(?P<entities>\{.*\})?\s*$",
    re.DOTALL,
)


def read_payload(text: str) -> Understanding | None:
    """The understanding that a payload states, None if `text` is none.

    Entities that are no JSON object are ignored, as in Rasa; a list gives several entities.
    `/faq/hours` is the retrieval intent `faq` with its answer chosen.

    >>> read_payload('/transfer{"amount": 5}').entities[0].value
    5
    """
    stripped = text.removeprefix(EXTERNAL_PREFIX).strip()
    match = _PAYLOAD.match(stripped)
    if match is None:
        return None
    try:
        confidence = float(match["confidence"]) if match["confidence"] else 1.0
    except ValueError:
        return None
    named = IntentScore(match["intent"].strip(), min(max(confidence, 0.0), 1.0))
    intent = named.intent.split("/", 1)[0]
    return Understanding(
        text=text,
        ranking=(IntentScore(intent, named.confidence),),
        entities=_entities(match["entities"], text),
        source="payload",
        responses={intent: (named,)} if intent != named.intent else {},
    )


def injected(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """A payload's parse result as Rasa's tracker tells of an intent that a program injects.

    >>> injected({"text": "EXTERNAL: /rain", "intent": {"name": "rain"}, "entities": []})["text"]
    'EXTERNAL: rain'
    """
    entities = [{k: e[k] for k in e if k not in ("start", "end")} for e in parsed["entities"]]
    text = f"{EXTERNAL_PREFIX}{parsed['intent']['name']}"
    return {**parsed, "text": text, "entities": entities}


def _entities(raw: str | None, text: str) -> tuple[Entity, ...]:
    try:
        data = json.loads(raw) if raw else {}
    except ValueError:
        return ()
    start = text.find(raw) if raw else 0
    return tuple(
        Entity(str(name), start, len(text), "", value)
        for name, values in data.items()
        for value in _as_list(values)
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
