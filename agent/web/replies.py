"""Replies as JSON: Rasa's channel messages, and ours with sources and turn."""

from collections.abc import Iterator, Sequence
from typing import Any

from agent.turn import Reply


def channel_messages(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """What Rasa's REST channel answers: one object a message, a text split on blank lines."""
    return [message for reply in replies for message in _split(reply)]


def _split(reply: Reply) -> Iterator[dict[str, Any]]:
    parts = reply.text.strip().split("\n\n") if reply.text else []
    who = {"recipient_id": reply.recipient}
    last = len(parts) - 1
    for number, part in enumerate(parts):
        message: dict[str, Any] = {**who, "text": part}
        if number == last and reply.buttons:
            message["buttons"] = _buttons(reply)
        yield message
    if not parts and reply.buttons:
        yield {**who, "text": "", "buttons": _buttons(reply)}
    for name in ("custom", "image", "attachment"):
        value = getattr(reply, name)
        if value is not None:
            yield {**who, name: value}
    if reply.elements:
        yield {**who, "custom": {"elements": list(reply.elements)}}


def _buttons(reply: Reply) -> list[dict[str, Any]]:
    return [{"title": b.title, "payload": b.payload, **b.extra} for b in reply.buttons]


def reply_json(reply: Reply) -> dict[str, Any]:
    """A reply as `/api` gives it: only the keys that it has."""
    found: dict[str, Any] = {}
    if reply.text:
        found["text"] = reply.text
    if reply.buttons:
        found["buttons"] = _buttons(reply)
    for name in ("image", "attachment", "custom"):
        if getattr(reply, name) is not None:
            found[name] = getattr(reply, name)
    if reply.elements:
        found["elements"] = list(reply.elements)
    if reply.passages:
        found["sources"] = [
            {
                "title": scored.passage.title,
                "text": scored.passage.text,
                "url": scored.passage.metadata.get("url"),
                "document_id": scored.passage.document_id,
                "start": scored.passage.start,
                "end": scored.passage.end,
            }
            for scored in reply.passages
        ]
    return found
