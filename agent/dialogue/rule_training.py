"""What a project's rules and stories teach the rule policy."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.dialogue.applied import Frame
from agent.dialogue.events import ActionExecuted
from agent.dialogue.featurizer import State
from agent.dialogue.names import ACTION_LISTEN, RULE_SNIPPET, SHOULD_NOT_BE_SET
from agent.dialogue.rules import LearnedRule, LoopCondition, States
from agent.dialogue.scripts import Script
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain


@dataclass(frozen=True, slots=True)
class Run:
    """A script that was played: its tracker has a frame for each action that counts."""

    script: Script
    tracker: Tracker

    def turns(self, omit_unset: bool = False) -> Iterator[tuple[list[State], str]]:
        """The states up to each predictable action, and that action."""
        frames = self.tracker.frames
        states = [set_slots_only(f) if omit_unset else f.state for f in frames]
        for i, frame in enumerate(frames):
            if frame.event is not self.script.first_action:
                yield states[: i + 1], action_of(frame.event)


def run_script(script: Script, domain: Domain) -> Run:
    """Play a script."""
    return Run(script, Tracker(script.name, domain, script.events))


def action_of(event: ActionExecuted) -> str:
    """The action's name, or its text if it was chosen end to end."""
    return event.name or event.action_text or ""


def set_slots_only(frame: Frame) -> State:
    """The state without slots that only have their initial value."""
    set_slots = frame.before.set_slots
    return frame.state._replace(slots=tuple(s for s in frame.state.slots if s[0] in set_slots))


def after_snippet(states: Sequence[State]) -> States:
    """The states after the last `...`; what lies before is left open."""
    start = max((i + 1 for i, s in enumerate(states) if s.action == RULE_SNIPPET), default=0)
    return tuple(states[start:])


def rules_of(runs: Sequence[Run]) -> Iterator[LearnedRule]:
    """Each turn of the rules; a turn followed by different actions teaches nothing."""
    actions: dict[States, set[str]] = defaultdict(set)
    names: dict[States, dict[str, None]] = defaultdict(dict)
    for run in runs:
        for states, action in run.turns(omit_unset=True):
            key = after_snippet(states)
            if key:
                actions[key].add(action)
                names[key][run.script.name] = None
    for key, found in actions.items():
        if len(found) == 1 and RULE_SNIPPET not in found:
            yield LearnedRule(key, next(iter(found)), tuple(names[key]))


def loop_conditions(runs: Sequence[Run]) -> Iterator[LoopCondition]:
    """What rules and stories show of loops off their happy path."""
    seen: set[States] = set()
    for run in runs:
        for states, action in run.turns(omit_unset=run.script.is_rule):
            loop = states[-1].loop
            if not loop or loop == SHOULD_NOT_BE_SET:
                continue
            listened = states[-1].action == ACTION_LISTEN
            if listened != (action == loop):
                continue
            key = after_snippet(_last_two(states))
            if key and key not in seen:
                seen.add(key)
                yield LoopCondition(key, returning=listened)


def _last_two(states: Sequence[State]) -> States:
    """The last state, after the action before the one it follows; the message there is open."""
    if len(states) == 1 or states[-2].is_start:
        return (states[-1],)
    before = states[-2]
    return (State(action=before.action, action_text=before.action_text), states[-1])
