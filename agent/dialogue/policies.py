"""The policies together: what they learned, and the choice of the next action."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from agent.dialogue.contradictions import RuleOnly
from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    Event,
    LoopInterrupted,
    UserFeaturized,
)
from agent.dialogue.featurizer import State
from agent.dialogue.memoization import MemoizationPolicy, Memory
from agent.dialogue.names import ACTION_LISTEN, ACTION_UNLIKELY_INTENT, action_names
from agent.dialogue.policy_data import FORMAT, PolicyData, compile_policies, memoizes
from agent.dialogue.rules import LearnedRule, LoopCondition, RulePolicy, RulePrediction
from agent.dialogue.story_view import StoryView
from agent.dialogue.tracker import Tracker
from agent.dialogue.unlikely import UNLIKELY_POLICY, is_unlikely
from agent.errors import ModelError
from agent.project.types import Domain, PolicyConfig
from agent.turn import Decision

FOLLOWUP = "followup_action"
RULE_POLICY = "RulePolicy"
_LOST = "no rule and no story goes on from here"
_PRIORITY = {"RulePolicy": 4, "AugmentedMemoizationPolicy": 3, "MemoizationPolicy": 3}


class LearnedPolicy(Protocol):
    """A policy that generalizes: a score in [0, 1] for its best action, priority 1."""

    name: str

    def predict(
        self, states: Sequence[State], *, without: str | None = None
    ) -> tuple[str, float] | None:
        """The best action (not `without`) after these states, oldest first, and how sure it is."""


class Policies:
    """Chooses the next action: the surest policy wins, then the one of higher priority.

    Args:
        domain: the assistant's domain.
        config: what `config.yml` says of policies.
        data: what `compile_policies` learned.
        learned: a policy that generalizes from the stories, if one was trained.

    Raises:
        ModelError: the data have another format version.
    """

    def __init__(
        self,
        domain: Domain,
        config: PolicyConfig,
        data: PolicyData,
        learned: LearnedPolicy | None = None,
    ) -> None:
        if data.format != FORMAT:
            text = f"the policies have format {data.format}, this version reads {FORMAT}"
            raise ModelError(f"{text}: train the model again")
        states = [State.from_json(state) for state in data.states]
        self._config, self._actions = config, frozenset(action_names(domain))
        self._rule_only = RuleOnly(
            frozenset(data.rule_only_slots),
            frozenset(data.rule_only_loops),
            frozenset(data.rule_only_sources),
        )
        self._rules = _rule_policy(config, data, states)
        self._view = StoryView(self._rule_only.slots, self._rule_only.loops)
        self._memory = _memoization_policy(config, data, states, self._view)
        self._learned = learned
        self._expected_intents = data.expected_intents

    def decide(self, tracker: Tracker) -> Decision:
        """The next action (action_listen included), who chose it and why."""
        followup = tracker.followup_action
        if followup and followup in self._actions:
            return Decision(followup, FOLLOWUP, 1.0, "an action asked for it")
        rules = self._rules.predict(tracker) if self._rules else RulePrediction(None)
        best = self._best(tracker, rules)
        if rules.interrupted:
            return replace(best, loop_interrupted=True)
        return best

    def _best(self, tracker: Tracker, rules: RulePrediction) -> Decision:
        rejected = tracker.rejected_action
        if rules.ignores_message or rules.from_text:
            return self._by_rules(rules, rejected)
        offers = [self._by_rules(rules, rejected)] if self._rules else []
        if self._memory and (by_memory := self._by_memory(tracker)):
            offers.append(by_memory)
        best = max((o for o in offers if o.action != rejected), key=_strength, default=_nothing())
        # Nothing that is learned outdoes certainty, so it need not be asked then.
        if best.confidence >= 1.0:
            return best
        if rejected != ACTION_UNLIKELY_INTENT and is_unlikely(tracker, self._expected_intents):
            reason = f"no story has the intent {tracker.situation.intent!r} here"
            return Decision(ACTION_UNLIKELY_INTENT, UNLIKELY_POLICY, 1.0, reason)
        guess = self._by_learned(tracker)
        return best if guess is None else max(best, guess, key=_strength)

    def _by_rules(self, rules: RulePrediction, rejected: str | None) -> Decision:
        hidden = rules.source in self._rule_only.sources
        if rules.rule:
            hidden = rules.rule.only_in_rules
        if rules.action is None or rules.action == rejected:
            return self._fallback(hidden)
        return Decision(
            rules.action,
            RULE_POLICY,
            1.0,
            rules.source,
            hide_rule_turn=hidden,
            from_text=rules.from_text,
            rules=rules.rule.names if rules.rule else (),
        )

    def _fallback(self, hidden: bool) -> Decision:
        config = self._config
        if not config.enable_fallback_prediction:
            return _nothing()
        action, threshold = config.core_fallback_action, config.core_fallback_threshold
        return Decision(action, RULE_POLICY, threshold, _LOST, hide_rule_turn=hidden)

    def _by_memory(self, tracker: Tracker) -> Decision | None:
        policy = self._memory
        memory = policy.recall(tracker) if policy else None
        if policy is None or memory is None:
            return None
        return Decision(memory.action, policy.name, 1.0, f"story {memory.story!r}")

    def _by_learned(self, tracker: Tracker) -> Decision | None:
        policy = self._learned
        limit = self._config.learned_max_history
        if policy is None:
            return None
        states = self._view.states(tracker, limit)
        found = policy.predict(states, without=tracker.rejected_action)
        if found is None:
            return None
        action, confidence = found
        return Decision(action, policy.name, confidence, "learned from the stories")


def falls_back(decision: Decision) -> bool:
    """Whether it is the fallback action that is taken because nothing else is known."""
    return decision.policy == RULE_POLICY and decision.reason == _LOST


def decision_events(decision: Decision) -> list[Event]:
    """What the choice itself tells the tracker, to be appended before the action runs."""
    events: list[Event] = []
    if decision.loop_interrupted:
        events.append(LoopInterrupted(is_interrupted=True))
    if decision.from_text:
        events.append(UserFeaturized(use_text_for_featurization=True))
    return events


def action_events(decision: Decision, events: Sequence[Event], domain: Domain) -> list[Event]:
    """All that goes into the tracker once an action ran: its own run and what it gave.

    An action that declined by an event of its own did not run (Rasa logs it so).

    Args:
        decision: why it ran; its events are included (see decision_events).
        events: what the action gave.
        domain: tells an action's name from an end-to-end text.
    """
    if any(isinstance(event, ActionExecutionRejected) for event in events):
        return list(events)
    by_text = decision.action in domain.e2e_actions
    ran = ActionExecuted(
        name=None if by_text else decision.action,
        action_text=decision.action if by_text else None,
        policy=decision.policy or None,
        confidence=decision.confidence,
        hide_rule_turn=decision.hide_rule_turn,
    )
    return [*decision_events(decision), ran, *events]


def _strength(decision: Decision) -> tuple[float, int]:
    return decision.confidence, _PRIORITY.get(decision.policy, 1)


def _nothing() -> Decision:
    return Decision(ACTION_LISTEN, RULE_POLICY, 0.0, "no policy predicts anything")


def _rule_policy(
    config: PolicyConfig, data: PolicyData, states: Sequence[State]
) -> RulePolicy | None:
    if config.names and RULE_POLICY not in config.names:
        return None
    rules = (
        LearnedRule(_at(states, r.states), r.action, r.names, r.only_in_rules) for r in data.rules
    )
    loops = (LoopCondition(_at(states, c.states), c.returning) for c in data.loops)
    return RulePolicy(rules, loops)


def _memoization_policy(
    config: PolicyConfig, data: PolicyData, states: Sequence[State], view: StoryView
) -> MemoizationPolicy | None:
    if not memoizes(config):
        return None
    memories = [Memory(_at(states, m.states), m.action, m.story) for m in data.memories]
    return MemoizationPolicy(memories, view, config.memoization_max_history, config.augmented)


def _at(states: Sequence[State], places: Sequence[int]) -> tuple[State, ...]:
    return tuple(states[place] for place in places)


__all__ = [
    "LearnedPolicy",
    "Policies",
    "PolicyData",
    "action_events",
    "compile_policies",
    "decision_events",
    "falls_back",
]
