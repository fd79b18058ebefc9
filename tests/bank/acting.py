"""Runs an action of the bank's as the SDK does, on a tracker made by hand."""

import asyncio
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

Entities = list[dict[str, Any]]


def tracker(
    text: str = "",
    entities: Entities | None = None,
    *,
    slots: dict[str, Any] | None = None,
    form: str | None = None,
    message_id: str = "m1",
    events: list[dict[str, Any]] | None = None,
    intent: tuple[str, float] | None = None,
) -> Tracker:
    message: dict[str, Any] = {"text": text, "entities": entities or [], "message_id": message_id}
    if intent:
        message["intent"] = {"name": intent[0], "confidence": intent[1]}
    return Tracker(
        sender_id="alex",
        slots={"offer": "none", **(slots or {})},
        latest_message=message,
        events=events or [],
        paused=False,
        followup_action=None,
        active_loop={"name": form} if form else {},
        latest_action_name="action_listen",
    )


def said(label: str, value: str, role: str | None = None) -> dict[str, Any]:
    return {"entity": label, "value": value, "role": role}


def run(action: Any, state: Tracker) -> tuple[str, dict[str, Any]]:
    """What the customer reads (texts and response names) and the slots that were set."""
    dispatcher = CollectingDispatcher()
    events = action.run(dispatcher, state, {})
    if asyncio.iscoroutine(events):
        events = asyncio.run(events)
    texts = [message["text"] or message["response"] for message in dispatcher.messages]
    return "\n".join(texts), {event["name"]: event["value"] for event in events or []}


def check(method: Any, value: Any, state: Tracker) -> tuple[str, dict[str, Any]]:
    """The same for one answer that a form validates."""
    dispatcher = CollectingDispatcher()
    slots = method(value, dispatcher, state, {})
    texts = [message["text"] or message["response"] for message in dispatcher.messages]
    return "\n".join(texts), slots


READY = {
    "recipient": "Anna Schmidt",
    "transfer_amount": "€50.00",
    "from_account": "current",
    "transfer_confirmed": True,
}
