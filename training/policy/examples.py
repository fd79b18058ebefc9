"""What the learned policy is trained on: the turns of the stories, and copies that forget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from agent.dialogue.expansion import project_scripts
from agent.dialogue.featurizer import State
from agent.dialogue.names import ACTION_LISTEN
from agent.dialogue.rule_training import run_script
from agent.project.types import Project

Turn = tuple[tuple[State, ...], str]
"""States, oldest first, and the action that follows them."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How copies of turns are made.

    `copies` of each turn begin later than the conversation did and lack each slot and
    entity with probability `drop`; after an action there are two more, in which the message,
    and the action itself, are unknown. A copy counts `weight` as much as what a story says.
    """

    copies: int = 6
    drop: float = 0.3
    weight: float = 0.1


def story_turns(project: Project, history: int) -> list[Turn]:
    """Every turn of the project's stories, once, with at most `history` states."""
    turns: dict[Turn, None] = {}
    for script in project_scripts(project).stories:
        for states, action in run_script(script, project.domain).turns():
            turns[tuple(states[-history:]), action] = None
    return list(turns)


def with_forgetful_copies(
    turns: Sequence[Turn], forgetting: Forgetting, seed: int
) -> dict[Turn, float]:
    """The turns and their copies with their weights; what a story says counts 1.

    A conversation need not begin where a story does, and slots and entities that have
    nothing to do with an action must not keep it from being recognized.
    """
    random = Random(seed)  # noqa: S311 - augmentation, not cryptography
    weights = dict.fromkeys(turns, 1.0)
    for states, action in turns:
        for length in range(1, len(states)):
            weights.setdefault((states[-length:], action), forgetting.weight)
        for _ in range(forgetting.copies):
            recent = states[-random.randint(1, len(states)) :]
            thinned = tuple(_thinned(state, forgetting.drop, random) for state in recent)
            weights.setdefault((thinned, action), forgetting.weight)
        for unknown in _after_something_unknown(states):
            weights.setdefault((unknown, action), forgetting.weight)
    return weights


def _after_something_unknown(states: Sequence[State]) -> Iterator[tuple[State, ...]]:
    """A moment after an action as if no story had the message, and then the action either."""
    latest = states[-1]
    if latest.is_start or latest.action == ACTION_LISTEN:
        return
    strange = [s._replace(intent=None) if s.intent == latest.intent else s for s in states]
    yield tuple(strange)
    yield (*strange[:-1], strange[-1]._replace(action=None, action_text=None))


def _thinned(state: State, drop: float, random: Random) -> State:
    return state._replace(
        slots=tuple(slot for slot in state.slots if random.random() >= drop),
        entities=tuple(label for label in state.entities if random.random() >= drop),
    )
