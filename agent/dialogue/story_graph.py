"""Stories and rules as a tree: what begins alike is drawn once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from agent.project.types import (
    ActionStep,
    BotStep,
    CheckpointStep,
    LoopStep,
    OrStep,
    Rule,
    SlotStep,
    Step,
    StepEntity,
    Story,
    UserStep,
)

Kind = Literal["start", "user", "action", "slot", "loop", "checkpoint"]
MAX_WAYS = 64
"""Ways through the `or` steps of one story that are drawn."""


@dataclass(slots=True)
class Node:
    """A step and what follows it; `stories` are the names of those that end here."""

    label: str
    kind: Kind
    children: dict[tuple[Kind, str], "Node"] = field(default_factory=dict)
    stories: list[str] = field(default_factory=list)

    def child(self, kind: Kind, label: str) -> "Node":
        """The next node of that kind and label, new if there is none."""
        return self.children.setdefault((kind, label), Node(label, kind))


def story_tree(stories: Sequence[Story | Rule]) -> Node:
    """The tree of all ways through the stories or rules, from one start."""
    start = Node("", "start")
    for story in stories:
        conditions = story.conditions if isinstance(story, Rule) else ()
        for steps in _ways(story.steps):
            node = start
            for kind, label in _marks((*conditions, *steps)):
                node = node.child(kind, label)
            if story.name not in node.stories:
                node.stories.append(story.name)
    return start


def _ways(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """The steps once for each choice of its `or` steps, up to a limit."""
    choices = [s.alternatives if isinstance(s, OrStep) else (s,) for s in steps]
    for number, way in enumerate(product(*choices)):
        if number == MAX_WAYS:
            return
        yield way


def _marks(steps: Sequence[Step]) -> Iterator[tuple[Kind, str]]:
    for step in steps:
        match step:
            case UserStep():
                yield "user", _said(step)
            case ActionStep(action=action):
                yield "action", action
            case BotStep(text=text):
                yield "action", text
            case SlotStep(slot=slot, value=value, given=given):
                yield "slot", f"{slot} = {value}" if given else slot
            case LoopStep(loop=loop):
                yield "loop", loop or "no loop"
            case CheckpointStep(name=name):
                yield "checkpoint", name
            case OrStep():
                continue


def _said(step: UserStep) -> str:
    """A message as its intent (or text) with its entities."""
    words = step.response or step.intent or step.text or "…"
    marks = ", ".join(_entity(entity) for entity in step.entities)
    return f"{words} ({marks})" if marks else words


def _entity(entity: StepEntity) -> str:
    name = f"{entity.entity}:{entity.role}" if entity.role else entity.entity
    return name if entity.value is None else f"{name} {entity.value}"


__all__ = ["Node", "story_tree"]
