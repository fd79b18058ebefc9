"""The rule policy: built-in intents, active loops, then the longest rule that fits."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from agent.dialogue.featurizer import State, states_length
from agent.dialogue.names import (
    ACTION_BACK,
    ACTION_LISTEN,
    ACTION_RESTART,
    ACTION_SESSION_START,
    INTENT_BACK,
    INTENT_RESTART,
    INTENT_SESSION_START,
    SHOULD_NOT_BE_SET,
)
from agent.dialogue.situation import Situation
from agent.dialogue.tracker import Tracker

BUILTIN_RULES: Mapping[str, str] = {
    INTENT_RESTART: ACTION_RESTART,
    INTENT_BACK: ACTION_BACK,
    INTENT_SESSION_START: ACTION_SESSION_START,
}

States = tuple[State, ...]
T = TypeVar("T")
_Ending = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class LearnedRule:
    """These states, oldest first, are followed by this action.

    `names` are the rules it comes from; `only_in_rules` says that no story shows the turn,
    so that the policies that learn from stories must not see it.
    """

    states: States
    action: str
    names: tuple[str, ...] = ()
    only_in_rules: bool = False


@dataclass(frozen=True, slots=True)
class LoopCondition:
    """What stories and rules show inside a loop, off its happy path.

    `returning` True: after these states the loop goes on without looking at the message;
    False: after these states the loop does not come next.
    """

    states: States
    returning: bool


class RulePrediction(NamedTuple):
    """What the rules say; no action: no rule fits.

    `rule` is the rule that decided, `source` names it or the built-in behaviour;
    `ignores_message` marks a loop's own steps, `from_text` a rule on the message's text,
    `interrupted` that the loop comes back from an unhappy path.
    """

    action: str | None
    source: str = ""
    rule: LearnedRule | None = None
    ignores_message: bool = False
    from_text: bool = False
    interrupted: bool = False


class RulePolicy:
    """Predicts by rules. Looking one up costs the length of the longest rule, not of the talk."""

    def __init__(self, rules: Iterable[LearnedRule], loops: Iterable[LoopCondition]) -> None:
        self.rules = list(rules)
        self._rules: _Index[LearnedRule] = _Index((r.states, r) for r in self.rules)
        self._loops: _Index[LoopCondition] = _Index((c.states, c) for c in loops)
        self._weights = {rule.states: states_length(rule.states) for rule in self.rules}
        self._texts = self._rules.has_texts or self._loops.has_texts

    def predict(self, tracker: Tracker) -> RulePrediction:
        """What the rules say about the next action (see RulePrediction)."""
        now = tracker.situation
        by_text = RulePrediction(None)
        if self._texts and now.action_name == ACTION_LISTEN:
            by_text = self._from_rules(tracker, by_text=True)
        if by_text.action is None and (builtin := _builtin(now)):
            return builtin
        if happy := _loop_happy_path(now):
            return happy
        if by_text.action is not None:
            return by_text._replace(from_text=True)
        by_intent = self._from_rules(tracker, by_text=False)
        if by_text.interrupted:
            return by_intent._replace(interrupted=True)
        return by_intent

    def _from_rules(self, tracker: Tracker, by_text: bool) -> RulePrediction:
        states = self._recent_states(tracker, by_text)
        best = max(self._rules.fitting(states), key=self._weight, default=None)
        if tracker.active_loop is None:
            return _by_rule(best)
        conditions = self._loops.fitting(states)
        interrupted = any(condition.returning for condition in conditions)
        if best and best.action == ACTION_LISTEN and not _loop_name(best.states[-1]):
            # A general rule that ends its turn inside a loop hands back to the loop,
            # unless a story or rule shows that something else comes next.
            if all(condition.returning for condition in conditions):
                return _by_rule(best)._replace(action=tracker.active_loop)
            best = None
        return _by_rule(best)._replace(interrupted=interrupted)

    def _weight(self, rule: LearnedRule) -> int:
        return self._weights[rule.states]

    def _recent_states(self, tracker: Tracker, by_text: bool) -> list[State]:
        """The latest state and those before it, newest first, as far as any rule looks."""
        longest = max(self._rules.longest, self._loops.longest, 1)
        frames = tracker.frames
        past = [frames[i].state for i in range(len(frames) - 1, -1, -1)[: longest - 1]]
        return [latest_state(tracker.applied, by_text), *past]


def latest_state(now: Situation, by_text: bool = False) -> State:
    """The state to predict from, with the latest message seen by its intent or its text."""
    if now.action != ACTION_LISTEN:
        return now.state()
    return now.text_state() if by_text else now.state()._replace(text=None)


def fits(wanted: State, now: State) -> bool:
    """Whether a moment has everything that a rule's state asks for; more is no harm."""
    if wanted.is_start or now.is_start:
        return wanted.is_start and now.is_start
    same = (
        (wanted.action is None or wanted.action == now.action)
        and (wanted.action_text is None or wanted.action_text == now.action_text)
        and (wanted.intent is None or wanted.intent == now.intent)
        and (wanted.text is None or wanted.text == now.text)
        and (not wanted.entities or wanted.entities == now.entities)
        and (wanted.loop is None or _same(wanted.loop, now.loop))
    )
    if not same or not wanted.slots:
        return same
    have = dict(now.slots)
    return all(_same(feature, have.get(name)) for name, feature in wanted.slots)


def _same(wanted: object, have: object) -> bool:
    if wanted == SHOULD_NOT_BE_SET:
        return not have or have == SHOULD_NOT_BE_SET
    return wanted == have


class _Index(Generic[T]):
    """Rules by the last action and intent of their states, so that few need a closer look."""

    def __init__(self, entries: Iterable[tuple[States, T]]) -> None:
        self._by_end: dict[tuple[str | None, str | None], list[tuple[States, T]]] = defaultdict(
            list
        )
        self.longest, self.has_texts = 0, False
        for states, value in entries:
            last = states[-1]
            self._by_end[last.action or last.action_text, last.intent].append((states, value))
            self.longest = max(self.longest, len(states))
            self.has_texts = self.has_texts or any(state.text for state in states)

    def fitting(self, states: Sequence[State]) -> list[T]:
        """The values whose states fit; `states` come newest first."""
        last = states[0]
        action = last.action or last.action_text
        keys = [(action, last.intent)] + ([(action, None)] if last.intent else [])
        return [
            value
            for key in keys
            for wanted, value in self._by_end.get(key, ())
            if all(map(fits, reversed(wanted), states))
        ]


def _builtin(now: Situation) -> RulePrediction | None:
    action = BUILTIN_RULES.get(now.intent or "")
    if action is None or now.action_name != ACTION_LISTEN:
        return None
    return RulePrediction(action, source=builtin_source(now.intent or ""))


def _loop_happy_path(now: Situation) -> RulePrediction | None:
    """An active loop runs after each message and is followed by listening, unless it declined."""
    loop = now.loop_name
    if now.loop is None or loop is None or now.loop.rejected:
        return None
    if now.action == loop:
        source = loop_source(loop, ACTION_LISTEN)
        return RulePrediction(ACTION_LISTEN, source=source, ignores_message=True)
    if now.action_name is None:
        return None
    return RulePrediction(loop, source=loop_source(loop), ignores_message=True)


def builtin_source(intent: str) -> str:
    """The name of what a built-in intent does."""
    return f"built-in rule for the intent {intent!r}"


def loop_source(loop: str, action: str = "") -> str:
    """The name of what an active loop does by itself."""
    return f"active loop {loop!r}" + (f", then {action}" if action else "")


def _by_rule(rule: LearnedRule | None) -> RulePrediction:
    if rule is None:
        return RulePrediction(None)
    return RulePrediction(rule.action, source=_rule_source(rule), rule=rule)


def _rule_source(rule: LearnedRule) -> str:
    return "rule " + ", ".join(repr(name) for name in rule.names) if rule.names else "a rule"


def _loop_name(state: State) -> str | None:
    return state.loop if state.loop != SHOULD_NOT_BE_SET else None
