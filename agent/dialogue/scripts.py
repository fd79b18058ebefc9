"""Stories and rules as scripts: every way through them, written out as events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from random import Random
from typing import Any

from agent.dialogue.events import (
    EVENTS,
    ActionExecuted,
    ActiveLoop,
    Event,
    SlotSet,
    UserUttered,
)
from agent.dialogue.names import ACTION_LISTEN, RULE_SNIPPET, SHOULD_NOT_BE_SET
from agent.dialogue.slots import user_slots
from agent.project.types import (
    ActionStep,
    BotStep,
    CheckpointStep,
    Domain,
    LoopStep,
    OrStep,
    Place,
    Rule,
    SlotStep,
    StepEntity,
    Story,
    UserStep,
)

PlainStep = UserStep | ActionStep | BotStep | LoopStep | SlotStep

# Story steps may name an event where an action stands: `- action: restart`.
_EVENT_STEPS = ("restart", "rewind", "undo", "reset_slots", "pause", "resume", "session_started")
_NAMED_ONLY: Mapping[str, Any] = {"text": "filled", "list": ["filled"]}


@dataclass(frozen=True, slots=True)
class Script:
    """One way through a story or a rule.

    `first_action` is the event that cannot be predicted because nothing comes before it,
    None if there is none.
    """

    name: str
    events: tuple[Event, ...]
    is_rule: bool = False
    first_action: Event | None = None
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class Block:
    """The steps between two checkpoints; no starts: a story's beginning, no end: its end."""

    name: str
    starts: tuple[CheckpointStep, ...]
    steps: tuple[PlainStep, ...]
    end: str | None
    place: Place = field(default_factory=Place)


MAX_CHOICES = 1024
"""More ways than this through the `or` steps of a story, up to a checkpoint, are left out."""


def story_blocks(story: Story) -> Iterator[Block]:
    """The story cut at its checkpoints, once for each choice of its `or` steps."""
    starts: list[CheckpointStep] = []
    steps: list[PlainStep | OrStep] = []
    for step in story.steps:
        if not isinstance(step, CheckpointStep):
            steps.append(step)
        elif not steps:
            starts.append(step)
        else:
            yield from _choices(story, starts, steps, step.name)
            starts, steps = [CheckpointStep(step.name)], []
    if steps:
        yield from _choices(story, starts, steps, None)


def _choices(
    story: Story,
    starts: Sequence[CheckpointStep],
    steps: Sequence[PlainStep | OrStep],
    end: str | None,
) -> Iterator[Block]:
    options = [s.alternatives if isinstance(s, OrStep) else (s,) for s in steps]
    for chosen in _combinations(options):
        yield Block(story.name, tuple(starts), chosen, end, story.place)


def _combinations(options: Sequence[Sequence[PlainStep]]) -> Iterator[tuple[PlainStep, ...]]:
    """Every choice of one alternative a step; of too many some, drawn by a fixed seed."""
    if prod(map(len, options)) <= MAX_CHOICES:
        yield from product(*options)
        return
    drawn: dict[tuple[int, ...], None] = {}
    chance = Random(0)  # noqa: S311 - no secret
    while len(drawn) < MAX_CHOICES:
        drawn[tuple(chance.randrange(len(one)) for one in options)] = None
    for places in drawn:
        yield tuple(one[place] for one, place in zip(options, places, strict=True))


def has_too_many_choices(story: Story) -> bool:
    """Whether some ways through a story's `or` steps are left out."""
    sizes, total = [], 1
    for step in (*story.steps, CheckpointStep("")):
        if isinstance(step, CheckpointStep):
            sizes.append(total)
            total = 1
        elif isinstance(step, OrStep):
            total *= len(step.alternatives)
    return max(sizes) > MAX_CHOICES


def block_events(block: Block, domain: Domain) -> list[Event]:
    """The block's events, with the implied `action_listen` and the slots its entities fill."""
    events: list[Event] = []
    for step in block.steps:
        if isinstance(step, UserStep):
            if not events or not _is_listen(events[-1]):
                events.append(ActionExecuted(timestamp=0.0, name=ACTION_LISTEN))
            message = user_event(step)
            events.append(message)
            events.extend(slots_for_entities(message.entities, domain))
        else:
            events.append(_step_event(step, domain))
    if block.end is None and (not events or not _is_listen(events[-1])):
        events.append(ActionExecuted(timestamp=0.0, name=ACTION_LISTEN))
    return events


def rule_scripts(rule: Rule, domain: Domain) -> Iterator[Script]:
    """A rule's scripts: its conditions, `...` unless it starts the conversation, its steps."""
    for block in story_blocks(Story(rule.name, rule.steps, rule.place)):
        events = [_step_event(condition, domain) for condition in rule.conditions]
        if not rule.conversation_start:
            events.append(ActionExecuted(timestamp=0.0, name=RULE_SNIPPET))
        body = block_events(block, domain)
        if not rule.wait_for_user_input:
            # Rasa ends such a rule with `...` before the closing action_listen.
            body.insert(len(body) - 1, ActionExecuted(timestamp=0.0, name=RULE_SNIPPET))
        events.extend(body)
        marked = tuple(_marked(event) for event in events)
        first = marked[len(rule.conditions)] if marked else None
        if rule.conversation_start:
            first = first_unpredictable(block, marked)
        yield Script(rule.name, marked, True, first, rule.place)


def first_unpredictable(block: Block, events: Sequence[Event]) -> Event | None:
    """The first action of a block that begins with one: there is nothing to predict it from."""
    for step in block.steps:
        if isinstance(step, UserStep):
            return None
        if isinstance(step, ActionStep | BotStep):
            return next((e for e in events if isinstance(e, ActionExecuted)), None)
    return None


def user_event(step: UserStep) -> UserUttered:
    """A user step as a message whose understanding is the step's.

    Of a retrieval intent `faq/key` the policies see `faq`.
    """
    base, _, key = (step.intent or "").partition("/")
    intent: dict[str, Any] = {"name": base or None, "confidence": 1.0}
    if key:
        intent["full_retrieval_intent_name"] = step.intent
    entities = [_entity_json(entity) for entity in step.entities]
    parse_data = {"intent": intent, "entities": entities, "text": step.text}
    if step.beside:
        parse_data["beside"] = [_entity_json(entity) for entity in step.beside]
    return UserUttered(timestamp=0.0, text=step.text, parse_data=parse_data)


def slots_for_entities(entities: Sequence[Mapping[str, Any]], domain: Domain) -> list[SlotSet]:
    """The slots that a story's entities fill: those mapped from them outside of forms."""
    if not domain.store_entities_as_slots or not entities:
        return []
    found = []
    for slot in user_slots(domain):
        values = [
            entity.get("value")
            for mapping in slot.mappings
            if mapping.type == "from_entity"
            and not (mapping.conditions and mapping.conditions[0].active_loop)
            for entity in entities
            if entity.get("entity") == mapping.entity
            and entity.get("role") == mapping.role
            and entity.get("group") == mapping.group
        ]
        if values:
            value = values if slot.type == "list" else values[-1]
            found.append(SlotSet(timestamp=0.0, name=slot.name, value=value))
    return found


def _step_event(step: PlainStep, domain: Domain) -> Event:
    match step:
        case ActionStep(action=name) if name in _EVENT_STEPS:
            return EVENTS[name](timestamp=0.0)
        case ActionStep(action=name):
            return ActionExecuted(timestamp=0.0, name=name)
        case BotStep(text=text):
            return ActionExecuted(timestamp=0.0, action_text=text)
        case LoopStep(loop=name):
            return ActiveLoop(timestamp=0.0, name=name)
        case SlotStep():
            return SlotSet(timestamp=0.0, name=step.slot, value=_slot_value(step, domain))
        case UserStep():
            return user_event(step)


def _slot_value(step: SlotStep, domain: Domain) -> Any:
    if step.given:
        return step.value
    slot = domain.slots.get(step.slot)
    return _NAMED_ONLY.get(slot.type) if slot else None


def _entity_json(entity: StepEntity) -> dict[str, Any]:
    value = "" if entity.value is None else entity.value
    keys = {
        "entity": entity.entity,
        "value": value,
        "role": entity.role,
        "group": entity.group,
        "start": entity.start,
        "end": entity.end,
    }
    return {key: value for key, value in keys.items() if value is not None}


def _marked(event: Event) -> Event:
    """In a rule `null` means: must be empty."""
    if isinstance(event, ActiveLoop) and event.name is None:
        return ActiveLoop(timestamp=0.0, name=SHOULD_NOT_BE_SET)
    if isinstance(event, SlotSet) and event.value is None:
        return SlotSet(timestamp=0.0, name=event.name, value=SHOULD_NOT_BE_SET)
    return event


def _is_listen(event: Event) -> bool:
    return isinstance(event, ActionExecuted) and event.name == ACTION_LISTEN
