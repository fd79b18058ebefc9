"""What an action needs of the conversation: the ledger, the customer, the latest message."""

from functools import cache
from pathlib import Path
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.ledger import Ledger, default_path

Domain = dict[str, Any]
Events = list[dict[str, Any]]
Dispatcher = CollectingDispatcher

NO_OFFER = "none"


@cache
def open_ledger() -> Ledger:
    """The project's ledger, one a process."""
    return Ledger(default_path(Path(__file__).resolve().parent.parent))


def customer_of(tracker: Tracker) -> str:
    """Each conversation is a demo customer of its own."""
    return str(tracker.sender_id)


def message_key(tracker: Tracker) -> str:
    """Names the latest message, so that an action run twice for it takes effect once."""
    message = tracker.latest_message or {}
    known = message.get("message_id")
    if known:
        return str(known)
    return f"{len(tracker.events)}:{message.get('text')}"


def text_of(tracker: Tracker) -> str:
    """The latest message's text."""
    return str((tracker.latest_message or {}).get("text") or "")


def entity(tracker: Tracker, label: str, role: str | None = None) -> str | None:
    """The value of the latest message's first entity with this label."""
    found = next(tracker.get_latest_entity_values(label, entity_role=role), None)
    return None if found is None else str(found).strip()
