"""Stories that begin alike and then go on with different actions: none of them is learned there."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.dialogue.featurizer import State
from agent.dialogue.rule_training import run_script
from agent.dialogue.scripts import Script
from agent.project.types import Domain, Notice

_NAMED = 2


@dataclass(slots=True)
class _Moment:
    """What follows a moment of the stories: each action with the stories that show it."""

    last: State
    followers: dict[str, dict[str, Script]] = field(default_factory=lambda: defaultdict(dict))


def find_conflicts(stories: Sequence[Script], domain: Domain) -> Iterator[Notice]:
    """A warning for each moment after which stories differ, as `rasa data validate` has it.

    The whole conversation before the moment counts, so that only stories that are equal up to it
    are in conflict.
    """
    moments: dict[tuple[State, ...], _Moment] = {}
    for script in stories:
        for states, action in run_script(script, domain).turns():
            moment = moments.setdefault(tuple(states), _Moment(states[-1]))
            moment.followers[action].setdefault(script.name, script)
    for moment in moments.values():
        if len(moment.followers) > 1:
            yield _notice(moment)


def _notice(moment: _Moment) -> Notice:
    told = "; ".join(f"{name!r} in {_named(ones)}" for name, ones in moment.followers.items())
    # The second one is where the stories part for who reads them in order.
    place = next(iter(list(moment.followers.values())[1].values())).place
    text = f"after {_what(moment.last)} stories that are alike so far go on differently: {told}"
    return Notice(text, place, "stories", "warning")


def _what(state: State) -> str:
    if state.action == "action_listen" and (state.intent or state.text):
        return f"intent {state.intent!r}" if state.intent else f"the text {state.text!r}"
    if state.action or state.action_text:
        return f"action {(state.action or state.action_text)!r}"
    return "the beginning"


def _named(stories: Mapping[str, Script]) -> str:
    names = [repr(name) for name in stories]
    more = len(names) - _NAMED
    shown = names[:_NAMED] if more > 1 else names
    return ", ".join(shown) + (f" and {more} more" if more > 1 else "")
