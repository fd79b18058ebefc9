"""The events of Rasa's built-in actions that follow from the tracker alone."""

from collections.abc import Callable
from typing import Any

from agent.dialogue.events import (
    ActionExecuted,
    ActiveLoop,
    Event,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from agent.dialogue.names import (
    ACTION_BACK,
    ACTION_DEACTIVATE_LOOP,
    ACTION_DEFAULT_ASK_AFFIRMATION,
    ACTION_DEFAULT_ASK_REPHRASE,
    ACTION_DEFAULT_FALLBACK,
    ACTION_LISTEN,
    ACTION_RESTART,
    ACTION_REVERT_FALLBACK_EVENTS,
    ACTION_SESSION_START,
    ACTION_UNLIKELY_INTENT,
    INTENT_NLU_FALLBACK,
    REQUESTED_SLOT,
)
from agent.dialogue.situation import with_parse_data
from agent.dialogue.tracker import Tracker


def no_events(tracker: Tracker) -> list[Event]:
    """Nothing follows."""
    return []


def restart(tracker: Tracker) -> list[Event]:
    """Everything before is forgotten."""
    return [Restarted()]


def session_start(tracker: Tracker) -> list[Event]:
    """A new session begins, with the slots' values carried over where the domain says so."""
    carried: dict[str, SlotSet] = {}
    if tracker.domain.session.carry_over_slots:
        for event in tracker.applied_events():
            if isinstance(event, SlotSet):
                carried[event.name] = event
    slots = [
        SlotSet(name=name, value=tracker.slots.get(name), metadata=event.metadata)
        for name, event in carried.items()
    ]
    return [SessionStarted(), *slots, ActionExecuted(name=ACTION_LISTEN)]


def default_fallback(tracker: Tracker) -> list[Event]:
    """The message that was not understood is undone."""
    return [UserUtteranceReverted()]


def deactivate_loop(tracker: Tracker) -> list[Event]:
    """The active form or loop ends."""
    return [ActiveLoop(name=None), SlotSet(name=REQUESTED_SLOT, value=None)]


def back(tracker: Tracker) -> list[Event]:
    """The request to go back and the message before it are undone."""
    return [UserUtteranceReverted(), UserUtteranceReverted()]


def revert_fallback_events(tracker: Tracker) -> list[Event]:
    """What a two-stage fallback of older projects said and heard is undone.

    The last message stands as understood: with confidence 1 if it affirmed.
    """
    message = tracker.latest_message
    actions = [name for name in _actions_before(tracker) if name != ACTION_LISTEN]
    if message is None or not actions:
        return []
    listen = ActionExecuted(name=ACTION_LISTEN)
    if actions[-1] == ACTION_DEFAULT_ASK_REPHRASE:
        return [*_rewinds(3), listen, message]
    if actions[-1] != ACTION_DEFAULT_ASK_AFFIRMATION:
        return []
    events: list[Event] = [*_rewinds(2), listen]
    if actions[-2:-1] == [ACTION_DEFAULT_ASK_REPHRASE]:
        events += [*_rewinds(3), listen]
    return [*events, understood(message)]


def understood(message: UserUttered) -> UserUttered:
    """The message as if it had been understood with confidence 1."""
    intent = {**(message.parse_data.get("intent") or {}), "confidence": 1.0}
    return with_parse_data(message, intent=intent)


def affirmed_intent(message: UserUttered) -> str | None:
    """The intent to ask about: the best one that is no fallback."""
    ranking = message.parse_data.get("intent_ranking") or []
    if message.intent == INTENT_NLU_FALLBACK and len(ranking) > 1:
        name: Any = ranking[1].get("name")
        return str(name) if name else None
    return message.intent


def _actions_before(tracker: Tracker) -> list[str | None]:
    return [e.name for e in tracker.applied_events() if isinstance(e, ActionExecuted)]


def _rewinds(times: int) -> list[Event]:
    return [UserUtteranceReverted() for _ in range(times)]


EVENTS: dict[str, Callable[[Tracker], list[Event]]] = {
    ACTION_LISTEN: no_events,
    ACTION_RESTART: restart,
    ACTION_SESSION_START: session_start,
    ACTION_DEFAULT_FALLBACK: default_fallback,
    ACTION_DEACTIVATE_LOOP: deactivate_loop,
    ACTION_BACK: back,
    ACTION_UNLIKELY_INTENT: no_events,
    ACTION_REVERT_FALLBACK_EVENTS: revert_fallback_events,
    ACTION_DEFAULT_ASK_AFFIRMATION: no_events,
    ACTION_DEFAULT_ASK_REPHRASE: no_events,
}
"""The events of each built-in action, beside what it says."""
