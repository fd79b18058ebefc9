"""What the policies learned of a project, as plain JSON values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.dialogue.contradictions import learn_rules
from agent.dialogue.expansion import project_scripts
from agent.dialogue.featurizer import State
from agent.dialogue.memoization import Memory, memorize
from agent.dialogue.unlikely import expected_intents
from agent.project.types import PolicyConfig, Project

FORMAT = 1
MEMOIZATION_POLICIES = ("MemoizationPolicy", "AugmentedMemoizationPolicy")


@dataclass(frozen=True, slots=True)
class RuleData:
    """A learned rule as JSON; `states` are places in PolicyData.states."""

    states: tuple[int, ...]
    action: str
    names: tuple[str, ...] = ()
    only_in_rules: bool = False


@dataclass(frozen=True, slots=True)
class LoopData:
    """A loop condition as JSON."""

    states: tuple[int, ...]
    returning: bool


@dataclass(frozen=True, slots=True)
class MemoryData:
    """A remembered turn as JSON."""

    states: tuple[int, ...]
    action: str
    story: str = ""


@dataclass(frozen=True, slots=True)
class PolicyData:
    """All that the policies learned, as plain JSON values; `format` is its version."""

    format: int = FORMAT
    states: tuple[dict[str, Any], ...] = ()
    rules: tuple[RuleData, ...] = ()
    loops: tuple[LoopData, ...] = ()
    memories: tuple[MemoryData, ...] = ()
    rule_only_slots: tuple[str, ...] = ()
    rule_only_loops: tuple[str, ...] = ()
    rule_only_sources: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    expected_intents: dict[str, tuple[str, ...]] = field(default_factory=dict)


def compile_policies(project: Project) -> PolicyData:
    """Learn from the project's rules and stories what its policies need."""
    scripts = project_scripts(project)
    config, domain = project.config.policies, project.domain
    learned = learn_rules(scripts.rules, scripts.stories, domain, config)
    memories: Iterable[Memory] = ()
    if memoizes(config):
        memories = memorize(scripts.stories, domain, config.memoization_max_history)
    table = _StateTable()
    rules = tuple(
        RuleData(table.places(r.states), r.action, r.names, r.only_in_rules) for r in learned.rules
    )
    loops = tuple(LoopData(table.places(c.states), c.returning) for c in learned.loops)
    turns = tuple(MemoryData(table.places(m.states), m.action, m.story) for m in memories)
    return PolicyData(
        states=table.to_json(),
        rules=rules,
        loops=loops,
        memories=turns,
        rule_only_slots=tuple(sorted(learned.rule_only.slots)),
        rule_only_loops=tuple(sorted(learned.rule_only.loops)),
        rule_only_sources=tuple(sorted(learned.rule_only.sources)),
        notices=tuple(notice.message for notice in (*scripts.notices, *learned.notices)),
        expected_intents=dict(expected_intents(scripts.stories, scripts.rules, config)),
    )


def memoizes(config: PolicyConfig) -> bool:
    """Whether the project has a policy that remembers its stories."""
    return not config.names or any(name in MEMOIZATION_POLICIES for name in config.names)


class _StateTable:
    """Each state once, by its place."""

    def __init__(self) -> None:
        self._places: dict[State, int] = {}

    def places(self, states: Sequence[State]) -> tuple[int, ...]:
        return tuple(self._places.setdefault(state, len(self._places)) for state in states)

    def to_json(self) -> tuple[dict[str, Any], ...]:
        return tuple(state.to_json() for state in self._places)
