"""Checks events from outside: a tracker relies on their fields' types."""

from collections.abc import Mapping
from typing import Any

from agent.dialogue.events import EntitiesAdded, Event, UserUttered
from agent.errors import InputError


def checked(event: Event) -> Event:
    """The event if its fields have the types that a tracker relies on.

    Raises:
        InputError: one has not.
    """
    if isinstance(event.timestamp, bool) or not isinstance(event.timestamp, int | float):
        raise InputError(f"timestamp is a number of seconds, got {str(event.timestamp)[:80]!r}")
    for name in ("name", "text", "policy", "input_channel", "message_id", "action_text"):
        value = getattr(event, name, None)
        if value is not None and not isinstance(value, str):
            raise InputError(f"{event.kind}: {name} is a text, got {str(value)[:80]!r}")
    for name in ("metadata", "parse_data", "data"):
        value = getattr(event, name, {})
        if not isinstance(value, Mapping):
            raise InputError(f"{event.kind}: {name} is an object, got {str(value)[:80]!r}")
    if isinstance(event, UserUttered):
        check_parse_data(event.parse_data)
    if isinstance(event, EntitiesAdded):
        check_parse_data({"entities": event.entities})
    return event


def check_parse_data(data: Mapping[str, Any]) -> None:
    """Refuse a parse result whose parts have the wrong types.

    Raises:
        InputError: names the part.
    """
    intent = data.get("intent")
    if intent is not None and not isinstance(intent, Mapping):
        raise InputError("parse_data: intent is an object with `name` and `confidence`")
    for name in ("entities", "intent_ranking"):
        items = data.get(name)
        if items is None:
            continue
        if not isinstance(items, list) or not all(isinstance(i, Mapping) for i in items):
            raise InputError(f"parse_data: {name} is a list of objects")
    for entity in data.get("entities") or ():
        if not isinstance(entity.get("entity"), str):
            raise InputError("parse_data: an entity has a label under `entity`")


__all__ = ["check_parse_data", "checked"]
