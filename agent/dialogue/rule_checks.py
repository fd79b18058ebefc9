"""Rules that Rasa would refuse: too many messages, or slots and loops left unsaid."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agent.dialogue.events import ActionExecuted, ActiveLoop, SlotSet, UserUttered
from agent.dialogue.featurizer import State
from agent.dialogue.names import ACTION_LISTEN, RULE_SNIPPET, SHOULD_NOT_BE_SET
from agent.dialogue.rule_training import Run, action_of
from agent.dialogue.scripts import Script
from agent.dialogue.slots import domain_slots, is_featurized
from agent.project.types import Domain, Notice


def restricted_rules(scripts: Sequence[Script]) -> Iterator[Notice]:
    """A notice for each rule that has more than one user message."""
    seen = set()
    for script in scripts:
        messages = sum(isinstance(event, UserUttered) for event in script.events)
        if messages > 1 and script.name not in seen:
            seen.add(script.name)
            text = f"rule {script.name!r} has {messages} user messages, a rule has at most one"
            yield Notice(f"{text}: make it a story", script.place, "rules", "error")


def incomplete_rules(runs: Sequence[Run], domain: Domain) -> list[Notice]:
    """Rules where an action does not set the slots or loop that it sets in other rules."""
    effects = _effects(runs, domain)
    found: dict[str, Notice] = {}
    for run in runs:
        states = [frame.state for frame in run.tracker.frames] + [run.tracker.state()]
        actions = [*(action_of(frame.event) for frame in run.tracker.frames[1:]), ACTION_LISTEN]
        for state, next_action in zip(states[1:], actions, strict=True):
            effect = effects.get(state.action or "")
            if effect is None or RULE_SNIPPET in (state.action, next_action):
                continue
            for text in effect.unsaid(state):
                message = f"rule {run.script.name!r}: {text}"
                place = run.script.place
                found.setdefault(message, Notice(message, place, "rules", "error"))
    return list(found.values())


@dataclass
class _Effect:
    """The slots and loops that an action sets somewhere in the rules."""

    slots: set[str] = field(default_factory=set)
    loops: set[str] = field(default_factory=set)

    def unsaid(self, state: State) -> Iterator[str]:
        """What a state after the action lacks."""
        last = "or, if it is the last action, add `wait_for_user_input: false`"
        missing = self.slots - {name for name, _ in state.slots}
        if missing:
            names = ", ".join(sorted(missing))
            yield (
                f"{state.action!r} does not set {names}, which it sets in other rules; "
                f"set it (`null` if it must be empty) {last}"
            )
        if self.loops and state.loop not in self.loops:
            loops = ", ".join(sorted("null" if n == SHOULD_NOT_BE_SET else n for n in self.loops))
            yield (
                f"{state.action!r} is not followed by `active_loop: {loops}` as in other "
                f"rules; add it {last}"
            )


def _effects(runs: Sequence[Run], domain: Domain) -> dict[str, _Effect]:
    slots = domain_slots(domain)
    effects: dict[str, _Effect] = defaultdict(_Effect)
    for run in runs:
        action: str | None = None
        for event in run.script.events:
            if isinstance(event, ActionExecuted):
                action = action_of(event)
            elif isinstance(event, UserUttered):
                action = None
            elif action and isinstance(event, SlotSet):
                if event.name in slots and is_featurized(slots[event.name]):
                    effects[action].slots.add(event.name)
            elif action and isinstance(event, ActiveLoop) and event.name:
                effects[action].loops.add(event.name)
    return dict(effects)
