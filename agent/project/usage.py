"""What the stories and rules speak of, with the first place of each name."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.project.types import (
    ActionStep,
    CheckpointStep,
    LoopStep,
    OrStep,
    Place,
    Project,
    SlotStep,
    Step,
    UserStep,
)


@dataclass
class Usage:
    """Names used in stories and rules: name → where it is used first."""

    intents: dict[str, Place] = field(default_factory=dict)
    responses: dict[str, Place] = field(default_factory=dict)
    entities: dict[str, Place] = field(default_factory=dict)
    actions: dict[str, Place] = field(default_factory=dict)
    loops: dict[str, Place] = field(default_factory=dict)
    slots: dict[str, Place] = field(default_factory=dict)
    values: dict[tuple[str, str], Place] = field(default_factory=dict)


def find_usage(project: Project) -> Usage:
    """All names that the project's stories and rules use."""
    usage = Usage()
    for step, path in _steps(project):
        _note(step, path, usage)
    return usage


def _steps(project: Project) -> Iterator[tuple[Step, str]]:
    for story in project.stories:
        yield from ((step, story.place.path) for step in story.steps)
    for rule in project.rules:
        yield from ((step, rule.place.path) for step in (*rule.conditions, *rule.steps))


def _note(step: Step, path: str, usage: Usage) -> None:
    place = Place(path, step.line)
    match step:
        case OrStep():
            for one in step.alternatives:
                _note(one, path, usage)
        case UserStep():
            _note_message(step, place, usage)
        case ActionStep():
            usage.actions.setdefault(step.action, place)
        case LoopStep() if step.loop is not None:
            usage.loops.setdefault(step.loop, place)
        case SlotStep():
            usage.slots.setdefault(step.slot, place)
            if step.given and isinstance(step.value, str):
                usage.values.setdefault((step.slot, step.value), place)
        case CheckpointStep():
            for slot, _ in step.conditions:
                usage.slots.setdefault(slot, place)


def _note_message(step: UserStep, place: Place, usage: Usage) -> None:
    if step.intent is not None:
        usage.intents.setdefault(step.intent, place)
    if step.response is not None:
        usage.responses.setdefault(step.response, place)
    for entity in step.entities:
        usage.entities.setdefault(entity.entity, place)
