"""What passes between tracker and action server: its state out, events and messages in."""

import logging
from collections.abc import Mapping
from typing import Any

from agent.actions.events_json import EventsJson
from agent.actions.types import ActionServerReply
from agent.dialogue.event_checks import checked
from agent.dialogue.events import ActiveLoop, Event, event_from_dict
from agent.dialogue.names import ACTION_TWO_STAGE_FALLBACK
from agent.dialogue.tracker import Tracker
from agent.errors import InputError
from agent.project.types import Domain
from agent.prompts.responses import Draft, ResponseSource, Utterance, utterance

_LISTS = ("buttons", "elements", "quick_replies")
_log = logging.getLogger(__name__)


def tracker_state(tracker: Tracker) -> dict[str, Any]:
    """The tracker as an action server gets it: Rasa's JSON with all events."""
    return {**tracker.current_state("NONE"), "events": EventsJson(tracker.events)}


def read_events(action: str, reply: ActionServerReply, domain: Domain) -> list[Event]:
    """A server's events; what is no event that we know is reported in the log and left out.

    So is a loop that the domain has no form or action for: nobody could run or leave it.
    """
    events = []
    for data in reply.events:
        try:
            event = checked(event_from_dict(data))
            if isinstance(event, ActiveLoop) and not _can_run(event.name, domain):
                raise InputError(f"active_loop: the domain has no form {event.name!r}")
            events.append(event)
        except (InputError, TypeError, ValueError, AttributeError) as error:
            _log.warning("action %s returned an event that is ignored: %s", action, error)
    return events


def _can_run(loop: str | None, domain: Domain) -> bool:
    known = (None, ACTION_TWO_STAGE_FALLBACK)
    return loop in known or loop in domain.forms or loop in domain.actions


async def read_messages(
    reply: ActionServerReply, tracker: Tracker, *, source: ResponseSource, channel: str
) -> list[Utterance]:
    """A server's messages; named responses are looked up and filled, its own values win."""
    said = []
    for message in reply.responses:
        draft = await _draft(message, tracker, source, channel)
        if draft is not None:
            said.append(utterance(draft, tracker.conversation_id))
    return said


async def _draft(
    message: Mapping[str, Any], tracker: Tracker, source: ResponseSource, channel: str
) -> Draft | None:
    given = {key: value for key, value in message.items() if value and _is_usable(key, value)}
    # Old SDKs call the response's name `template`.
    name = given.pop("response", None) or given.get("template")
    draft: Draft = {}
    if name:
        drafted = await source.draft(str(name), tracker, channel=channel, arguments=given)
        if drafted is None:
            _log.warning("no response %r fits the channel %r: nothing is said", name, channel)
            return None
        draft = {**drafted, "utter_action": str(name)}
    buttons = [*draft.get("buttons", ()), *given.pop("buttons", ())]
    return {**draft, **given, **({"buttons": buttons} if buttons else {})}


def _is_usable(key: str, value: Any) -> bool:
    """Whether a part of a message has the type that it must have; if not, it is left out."""
    if key in _LISTS and not isinstance(value, list | tuple):
        _log.warning("%s of a message must be a list, got %r: left out", key, value)
        return False
    return True
