"""Replies as JSON: Rasa's channel messages, and ours with sources and turn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.turn import Reply


def channel_messages(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """What Rasa's REST channel answers: one object a message, elements told in words.

    A text is split on blank lines, but one with buttons stays whole.
    """
    return [part for message in outlet_messages(replies) for part in in_words(message)]


def outlet_messages(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """The same for channels that may show elements (cards) as such."""
    return [message for reply in replies for message in _split(reply)]


def in_words(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message of `outlet_messages` as the REST channel has it: each element as a text."""
    if "elements" not in message:
        return [dict(message)]
    cards = [card for card in message["elements"] if isinstance(card, Mapping)]
    return [
        {
            "recipient_id": message["recipient_id"],
            "text": f"{card.get('title', '')} : {card.get('subtitle', '')}",
            "buttons": list(card.get("buttons") or ()),
        }
        for card in cards
    ]


def _split(reply: Reply) -> Iterator[dict[str, Any]]:
    who = {"recipient_id": reply.recipient}
    if reply.buttons:
        said = {"text": reply.text.strip()} if reply.text else {}
        yield {**who, **said, "buttons": _buttons(reply)}
    elif reply.text:
        for part in reply.text.strip().split("\n\n"):
            yield {**who, "text": part}
    for name in ("custom", "image", "attachment"):
        value = getattr(reply, name)
        if value is not None:
            yield {**who, name: value}
    if reply.elements:
        yield {**who, "elements": list(reply.elements)}


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
