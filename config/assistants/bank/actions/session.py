"""What an action needs of the conversation: the ledger, the customer, the latest message."""

import re
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

_SURE = 0.8
_HEDGE = re.compile(
    r"\?|n['\u2019]t\b|\b(?:maybe|perhaps|later|not|no|never|wait|hold on|hang on|but|if|unless"
    r"|until|instead|actually|probably|possibly|might|guess|think|unsure|depends|tomorrow"
    r"|moment|minute|second|soon|cancel|stop|hmm+|dont|cant|wont)\b",
    re.IGNORECASE,
)


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


def is_clear_yes(tracker: Tracker) -> bool:
    """Whether the latest message is surely a yes, and one without an if or a but."""
    intent = (tracker.latest_message or {}).get("intent") or {}
    if not is_intent(tracker, "affirm") or float(intent.get("confidence") or 0.0) < _SURE:
        return False
    return _HEDGE.search(re.sub(r"(?i)\bwhy not\b\??", "", text_of(tracker))) is None


def is_intent(tracker: Tracker, name: str) -> bool:
    """Whether the latest message has this intent."""
    return ((tracker.latest_message or {}).get("intent") or {}).get("name") == name


def is_question(tracker: Tracker) -> bool:
    """Whether the latest message asks something, so that a no in it is hardly one."""
    return text_of(tracker).rstrip().endswith("?")


def is_fresh(tracker: Tracker) -> bool:
    """Whether the latest message is the one that was just said, and not one before it.

    After a fallback Rasa forgets the message that was not understood: the one before it is the
    latest again when the form goes on.
    """
    for event in reversed(tracker.events):
        if event.get("event") == "user":
            return bool(event.get("text") == text_of(tracker))
    return True


def slot_before(tracker: Tracker, name: str) -> Any:
    """A slot's value before the latest message, None if it had none."""
    seen_message = False
    for event in reversed(tracker.events):
        seen_message = seen_message or event.get("event") == "user"
        if seen_message and event.get("event") == "slot" and event.get("name") == name:
            return event.get("value")
    return None


def entity(tracker: Tracker, label: str, role: str | None = None) -> str | None:
    """The value of the latest message's first entity with this label."""
    found = next(tracker.get_latest_entity_values(label, entity_role=role), None)
    return None if found is None else str(found).strip()
