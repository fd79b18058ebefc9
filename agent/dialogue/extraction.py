"""Slots filled from a message: what `action_extract_slots` does after each one."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from agent.actions.types import ActionRejected, ActionResult
from agent.dialogue.events import BotUttered, Event, SlotSet
from agent.dialogue.names import ACTION_VALIDATE_SLOT_MAPPINGS, BUILTIN_INTENTS, REQUESTED_SLOT
from agent.dialogue.slots import user_slots
from agent.dialogue.tracker import Tracker
from agent.errors import ActionError
from agent.project.types import Domain, MappingCondition, Slot, SlotMapping

Call = Callable[[str, Tracker], Awaitable[ActionResult]]
"""Runs an action by name on a tracker: a custom action or a response.

Raises ActionRejected if the action declines, ActionError if it fails.
"""

Take = Callable[[Sequence[Event], Tracker], Sequence[Event]]
"""What really counts of the events that a message's extraction gave, such as a repair's view."""

_log = logging.getLogger(__name__)


def as_extracted(events: Sequence[Event], tracker: Tracker) -> Sequence[Event]:
    """All of the events: what Rasa does."""
    return events


def extract_slots(tracker: Tracker, domain: Domain) -> list[SlotSet]:
    """What the latest message fills through mappings other than `custom`."""
    found = []
    for slot in user_slots(domain):
        for mapping in _addressed(slot.mappings, tracker):
            if mapping.type != "custom" and (event := _filled(slot, mapping, tracker, domain)):
                found.append(event)
                break
    return found


def filling_mapping(slot: Slot, tracker: Tracker, domain: Domain) -> SlotMapping | None:
    """The mapping through which the latest message fills a slot, custom ones left out."""
    for mapping in slot.mappings:
        if mapping.type != "custom" and _filled(slot, mapping, tracker, domain):
            return mapping
    return None


def _addressed(mappings: Sequence[SlotMapping], tracker: Tracker) -> Sequence[SlotMapping]:
    """The mappings whose intent and entity the latest message has: few of a large domain's."""
    message = tracker.latest_message
    intent = message.intent if message else None
    entities = [entity.get("entity") for entity in message.entities] if message else ()
    return [
        mapping
        for mapping in mappings
        if (not mapping.intent or intent in mapping.intent)
        and (mapping.type != "from_entity" or mapping.entity in entities)
    ]


async def run_extract_slots(
    tracker: Tracker, domain: Domain, call: Call, take: Take = as_extracted
) -> ActionResult:
    """Fill slots from the latest message, custom mappings' actions included.

    The result's events are for the tracker, those that `take` leaves.
    `action_validate_slot_mappings` has the last word if the project has it; what mapping
    actions say is dropped, as Rasa does, unless the validation says it.
    """
    events: list[Event] = []
    done: set[str] = set()
    for slot in user_slots(domain):
        for mapping in _addressed(slot.mappings, tracker):
            if mapping.type != "custom":
                if event := _filled(slot, mapping, tracker, domain):
                    events.append(event)
                    break
            elif mapping.action and _applies(slot, mapping, tracker, domain):
                if mapping.action not in done:
                    events.extend((await _call_mapping(mapping.action, tracker, call)).events)
                done.add(mapping.action)
    slots = [event for event in events if isinstance(event, SlotSet)]
    result = await _validated(slots, tracker, domain, call)
    return replace(result, events=tuple(take(result.events, tracker)))


async def _validated(
    slots: Sequence[SlotSet], tracker: Tracker, domain: Domain, call: Call
) -> ActionResult:
    if ACTION_VALIDATE_SLOT_MAPPINGS not in domain.actions:
        return ActionResult(events=tuple(slots))
    trial = tracker.copy()
    trial.extend(slots)
    result = await _call_mapping(ACTION_VALIDATE_SLOT_MAPPINGS, trial, call)
    judged = {event.name for event in result.events if isinstance(event, SlotSet)}
    kept = [event for event in slots if event.name not in judged]
    return ActionResult((*result.events, *kept), result.replies, result.error)


async def _call_mapping(name: str, tracker: Tracker, call: Call) -> ActionResult:
    """Run an action that may only fill slots and speak; a failure fills nothing."""
    try:
        result = await call(name, tracker)
    except (ActionRejected, ActionError) as error:
        _log.warning("slots of %s stay as they are: %s", name, error)
        return ActionResult()
    allowed = tuple(e for e in result.events if isinstance(e, SlotSet | BotUttered))
    return ActionResult(allowed, result.replies, result.error)


def _filled(slot: Slot, mapping: SlotMapping, tracker: Tracker, domain: Domain) -> SlotSet | None:
    values = _values(mapping, tracker)
    if not values or not _applies(slot, mapping, tracker, domain):
        return None
    value = values if slot.type == "list" else values[-1]
    if value is None and tracker.slot(slot.name) is None:
        return None
    return SlotSet(name=slot.name, value=value)


def _applies(slot: Slot, mapping: SlotMapping, tracker: Tracker, domain: Domain) -> bool:
    return (
        _is_known(mapping, domain)
        and _intent_is_desired(mapping, tracker, domain)
        and _conditions_hold(slot, mapping, tracker)
        and not _is_ambiguous(slot, mapping, tracker, domain)
    )


def _is_known(mapping: SlotMapping, domain: Domain) -> bool:
    """Mappings from entities or intents that the domain does not have fill nothing."""
    if mapping.type == "from_entity":
        return mapping.entity in domain.entities
    if mapping.type == "from_intent":
        return all(name in domain.intents or name in BUILTIN_INTENTS for name in mapping.intent)
    return True


def _intent_is_desired(mapping: SlotMapping, tracker: Tracker, domain: Domain) -> bool:
    intent = tracker.latest_message.intent if tracker.latest_message else None
    if mapping.intent:
        return intent in mapping.intent
    return intent not in (*mapping.not_intent, *_ignored_intents(mapping, tracker, domain))


def _ignored_intents(mapping: SlotMapping, tracker: Tracker, domain: Domain) -> Sequence[str]:
    form = domain.forms.get(tracker.active_loop or "")
    if form is None:
        return ()
    loops = [condition.active_loop for condition in mapping.conditions]
    return form.ignored_intents if not loops or form.name in loops else ()


def _conditions_hold(slot: Slot, mapping: SlotMapping, tracker: Tracker) -> bool:
    if not mapping.conditions:
        return True
    if mapping.type == "from_trigger_intent":
        return True
    if tracker.loop and tracker.loop.rejected and tracker.slot(REQUESTED_SLOT) == slot.name:
        return False
    return any(_condition_holds(condition, tracker) for condition in mapping.conditions)


def _condition_holds(condition: MappingCondition, tracker: Tracker) -> bool:
    if condition.active_loop is None:
        return tracker.active_loop is None
    if condition.active_loop != tracker.active_loop:
        return False
    wanted = condition.requested_slot
    return not wanted or wanted == tracker.slot(REQUESTED_SLOT)


def _is_ambiguous(slot: Slot, mapping: SlotMapping, tracker: Tracker, domain: Domain) -> bool:
    """Inside a form an entity fills a slot not asked for only if it can mean no other slot."""
    form = domain.forms.get(tracker.active_loop or "")
    if mapping.type != "from_entity" or form is None or slot.name not in form.required_slots:
        return False
    if tracker.slot(REQUESTED_SLOT) == slot.name:
        return False
    slots = [domain.slots[name] for name in form.required_slots if name in domain.slots]
    return sum(other == mapping for s in slots for other in s.mappings) != 1


def _values(mapping: SlotMapping, tracker: Tracker) -> list[Any]:
    message = tracker.latest_message
    match mapping.type:
        case "from_entity":
            return [e.get("value") for e in entities_of(tracker) if _names(mapping, e)]
        case "from_intent":
            return [mapping.value]
        case "from_trigger_intent":
            loops = [condition.active_loop for condition in mapping.conditions]
            active = tracker.active_loop
            return [mapping.value] if active and (not loops or active in loops) else []
        case "from_text":
            return [message.text if message else None]
        case _:
            return []


def entities_of(tracker: Tracker) -> list[dict[str, Any]]:
    """The latest message's entities."""
    return tracker.latest_message.entities if tracker.latest_message else []


def _names(mapping: SlotMapping, entity: dict[str, Any]) -> bool:
    return (
        entity.get("entity") == mapping.entity
        and entity.get("role") == mapping.role
        and entity.get("group") == mapping.group
    )
