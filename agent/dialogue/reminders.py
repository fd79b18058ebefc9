"""Reminders of a conversation: which still stand, when they are due, the message they send."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from agent.dialogue.events import Event, ReminderCancelled, ReminderScheduled, UserUttered
from agent.dialogue.tracker import Tracker
from agent.turn import Message, new_id

EXTERNAL = "is_external"
"""In a message's metadata: an intent from outside, not words of the user (as in Rasa)."""
REMINDER = "reminder"
_log = logging.getLogger(__name__)


class Reminder(NamedTuple):
    """A reminder that stands; `due` is UTC-aware, `key` names it within its conversation."""

    key: str
    due: datetime
    event: ReminderScheduled


def pending(events: Iterable[Event]) -> list[Reminder]:
    """The reminders that stand after these events, the earliest first.

    One of the same name takes the place of the one before; those that a user's message kills,
    that were cancelled or that have sent their message stand no longer.
    """
    standing: dict[str, Reminder] = {}
    for event in events:
        match event:
            case ReminderScheduled():
                if (reminder := _read(event)) is not None:
                    standing.pop(reminder.key, None)
                    standing[reminder.key] = reminder
            case ReminderCancelled():
                standing = {k: r for k, r in standing.items() if not _cancels(event, r.event)}
            case UserUttered() if event.metadata.get(EXTERNAL):
                standing.pop(str(event.metadata.get(REMINDER)), None)
            case UserUttered():
                standing = {k: r for k, r in standing.items() if not r.event.kill_on_user_msg}
    return sorted(standing.values(), key=lambda reminder: reminder.due)


def first_due(events: Sequence[Event]) -> datetime | None:
    """When the first of the reminders that these events schedule is due, None without one."""
    scheduled = (_read(event) for event in events if isinstance(event, ReminderScheduled))
    return min((reminder.due for reminder in scheduled if reminder is not None), default=None)


def reminder_message(reminder: Reminder, tracker: Tracker) -> Message:
    """The message that a due reminder sends: its intent and entities, as from outside."""
    entities = _entities(reminder.event.entities)
    payload = json.dumps(entities, ensure_ascii=False, default=str) if entities else ""
    return Message(
        new_id(),
        tracker.conversation_id,
        f"EXTERNAL: /{reminder.event.intent}{payload}",
        channel=tracker.latest_input_channel or "",
        metadata={EXTERNAL: True, REMINDER: reminder.key},
    )


def _read(event: ReminderScheduled) -> Reminder | None:
    """A reminder, None (and a line in the log) if its time or intent cannot be read."""
    try:
        due = datetime.fromisoformat(event.date_time)
    except (TypeError, ValueError):
        _log.warning("a reminder is left out: its time %r is not ISO 8601", event.date_time)
        return None
    if not event.intent or not isinstance(event.intent, str):
        _log.warning("a reminder is left out: its intent is %r", event.intent)
        return None
    # Action servers send local times without an offset.
    key = event.name or f"{event.intent}@{event.timestamp}"
    return Reminder(str(key), due.astimezone(UTC), event)


def _cancels(cancel: ReminderCancelled, reminder: ReminderScheduled) -> bool:
    """Whether all that a cancellation names fits; one that names nothing fits every reminder."""
    return (
        (not cancel.name or cancel.name == reminder.name)
        and (not cancel.intent or cancel.intent == reminder.intent)
        and (not cancel.entities or _entities(cancel.entities) == _entities(reminder.entities))
    )


def _entities(given: Any) -> Mapping[str, Any]:
    """Entities as name and value, from a mapping or a list of entities or of names."""
    if isinstance(given, Mapping):
        return dict(given)
    found: dict[str, Any] = {}
    for item in given if isinstance(given, list | tuple) else ():
        if isinstance(item, Mapping) and item.get("entity"):
            found[str(item["entity"])] = item.get("value")
        elif isinstance(item, str):
            found[item] = None
    return found


__all__ = ["EXTERNAL", "REMINDER", "Reminder", "first_due", "pending", "reminder_message"]
