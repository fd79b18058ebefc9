"""The domain's `responses`: variations with buttons, channels and conditions."""

from collections.abc import Mapping
from typing import Any

from agent.project.domain_merge import Entry
from agent.project.types import ResponseVariation
from agent.project.yaml_values import line_of, plain

_KEYS = {
    "id",
    "text",
    "image",
    "custom",
    "buttons",
    "button_type",
    "quick_replies",
    "attachment",
    "elements",
    "channel",
    "metadata",
    "condition",
}
_CONTENT = ("text", "image", "custom", "buttons", "quick_replies", "attachment", "elements")


def read_response(entry: Entry) -> tuple[ResponseVariation, ...]:
    """The variations of one response; what is wrong is reported."""
    items = entry.value
    if isinstance(items, str):
        items = [items]
    if not isinstance(items, list) or not items:
        entry.error("must be a list of variations like `- text: …`", "responses")
        return ()
    read = (_read_variation(entry, item, line_of(items, i)) for i, item in enumerate(items))
    return tuple(variation for variation in read if variation is not None)


def _read_variation(entry: Entry, item: Any, line: int) -> ResponseVariation | None:
    if isinstance(item, str):
        return ResponseVariation(text=str(item))
    if not isinstance(item, dict):
        entry.error(f"a variation must be a mapping like `text: …`, not {item!r}", "responses")
        return None
    for key in item:
        if key not in _KEYS:
            at = line_of(item, key, line)
            entry.warning(f"the key {key!r} is unknown and not read", "responses", line=at)
    if not any(item.get(key) is not None for key in _CONTENT):
        entry.error(f"a variation has none of {', '.join(_CONTENT)}", "responses", line=line)
        return None
    return ResponseVariation(
        text=_text(entry, item, "text", line),
        image=_text(entry, item, "image", line),
        custom=plain(item.get("custom")),
        buttons=_objects(entry, item, "buttons", line),
        button_type=_text(entry, item, "button_type", line),
        quick_replies=_objects(entry, item, "quick_replies", line),
        attachment=plain(item.get("attachment")),
        elements=_objects(entry, item, "elements", line),
        channel=_text(entry, item, "channel", line),
        metadata=_metadata(item.get("metadata")),
        conditions=_conditions(entry, item, line),
        id=_text(entry, item, "id", line),
    )


def _metadata(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    data: Mapping[str, Any] = plain(value if isinstance(value, dict) else {"value": value})
    return data


def _text(entry: Entry, item: Any, key: str, line: int) -> str | None:
    value = item.get(key)
    if value is None:
        return None
    if isinstance(value, dict | list):
        hint = "put the text in quotes" if isinstance(value, dict) else "write one text"
        entry.error(f"`{key}` is no text: {hint}", "responses", key, line_of(item, key, line))
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _objects(entry: Entry, item: Any, key: str, line: int) -> tuple[Mapping[str, Any], ...]:
    """A list of mappings, such as buttons; titles and payloads become text."""
    value = item.get(key)
    at = line_of(item, key, line)
    if value is None:
        return ()
    if not isinstance(value, list):
        entry.error(f"`{key}` must be a list of mappings", "responses", key, at)
        return ()
    objects = []
    for i, one in enumerate(value):
        if not isinstance(one, dict):
            entry.error(
                f"an item of `{key}` must be a mapping, not {one!r}",
                "responses",
                key,
                line_of(value, i, at),
            )
            continue
        objects.append(_as_text(plain(one), ("title", "payload")))
        if key == "buttons" and not objects[-1].get("title"):
            entry.warning("a button has no title", "responses", key, line_of(value, i, at))
    return tuple(objects)


def _as_text(data: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: str(value) if name in keys and value is not None else value
        for name, value in data.items()
    }


def _conditions(entry: Entry, item: Any, line: int) -> tuple[tuple[str, Any], ...]:
    value = item.get("condition")
    at = line_of(item, "condition", line)
    if value is None:
        return ()
    if not isinstance(value, list):
        entry.error(
            "`condition` must be a list of {type: slot, name, value}", "responses", "condition", at
        )
        return ()
    conditions = []
    for i, one in enumerate(value):
        good = isinstance(one, dict) and isinstance(one.get("name"), str) and "value" in one
        if not good or one.get("type", "slot") != "slot":
            entry.error(
                f"a condition needs `type: slot`, `name` and `value`, not {plain(one)!r}",
                "responses",
                "condition",
                line_of(value, i, at),
            )
            continue
        conditions.append((str(one["name"]), plain(one["value"])))
    return tuple(conditions)
