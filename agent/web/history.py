"""What was said in a conversation, for a client that comes back to it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.dialogue.events import BotUttered, Event, UserUttered
from agent.dialogue.tracker import Tracker

LENGTH = 200


def said(tracker: Tracker, turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The latest messages of both sides, oldest first.

    Args:
        tracker: the conversation.
        turns: its logged turns, which tell the turn's id by the message's.
    """
    ids = {turn["message"]["id"]: turn["id"] for turn in turns}
    found: list[dict[str, Any]] = []
    current: dict[str, Any] = {}
    for event in tracker.events_after_restart():
        if isinstance(event, UserUttered):
            current = {"message_id": event.message_id, "turn_id": ids.get(event.message_id)}
        entry = _entry(event)
        if entry is not None:
            found.append({**entry, **current})
    return found[-LENGTH:]


def position(tracker: Tracker) -> int:
    """Where a listener stands who has seen all of a conversation: its number of events."""
    return len(tracker.events)


def bot_messages(events: Sequence[Event], begin: int = 0) -> list[dict[str, Any]]:
    """What the bot says in the events from `begin` on, as `/api` shows it.

    `message_id` names the user's message that came before, so that a client knows which of
    them it has had as an answer.
    """
    found: list[dict[str, Any]] = []
    message_id = None
    for number, event in enumerate(events):
        if isinstance(event, UserUttered):
            message_id = event.message_id
        elif number >= begin and isinstance(event, BotUttered) and (entry := _entry(event)):
            found.append({**entry, "message_id": message_id})
    return found


def _entry(event: Event) -> dict[str, Any] | None:
    at = datetime.fromtimestamp(event.timestamp, UTC).isoformat()
    if isinstance(event, UserUttered):
        return {"from": "user", "text": event.text or "", "at": at}
    if isinstance(event, BotUttered):
        kept = ("buttons", "image", "attachment", "custom", "elements")
        data = {name: event.data[name] for name in kept if event.data.get(name)}
        text = {"text": event.text} if event.text else {}
        return {"from": "bot", "at": at, **text, **data} if text or data else None
    return None
