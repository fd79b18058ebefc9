"""The policies together: priorities, rejections, follow-ups, and what is stored of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from agent.dialogue import Policies, PolicyData, Tracker, action_events, compile_policies
from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    FollowupAction,
    LoopInterrupted,
)
from agent.dialogue.featurizer import State
from agent.errors import ModelError
from agent.turn import Decision
from tests.agent.dialogue.talk import (
    Bot,
    declined,
    domain,
    listened,
    policies_of,
    project,
    rule,
    says,
    story,
)

DOMAIN = domain(actions=["action_x"])
PROJECT = project(
    DOMAIN,
    rules=[rule("hi", "?greet", "utter_greet")],
    stories=[story("bye", "?greet", "utter_greet", "?bye", "utter_bye")],
)


class Learned:
    """A learned policy that always wants the same."""

    name = "LearnedPolicy"

    def __init__(self, action: str, confidence: float) -> None:
        self.answer = (action, confidence)
        self.seen: Sequence[State] = ()
        self.without: str | None = None

    def predict(
        self, states: Sequence[State], *, without: str | None = None
    ) -> tuple[str, float] | None:
        self.seen, self.without = states, without
        return self.answer


def decide(intent: str, learned: Learned | None = None) -> Decision:
    data = compile_policies(PROJECT)
    policies = Policies(DOMAIN, PROJECT.config.policies, data, learned)
    return policies.decide(Tracker("test", DOMAIN, [listened(), says(intent)]))


def test_what_was_learned_survives_json() -> None:
    data = compile_policies(PROJECT)
    adapter = TypeAdapter(PolicyData)
    assert adapter.validate_json(adapter.dump_json(data)) == data


def test_another_format_is_refused() -> None:
    data = replace(compile_policies(PROJECT), format=99)
    with pytest.raises(ModelError, match="format 99"):
        Policies(DOMAIN, PROJECT.config.policies, data)


def test_rules_go_before_stories_and_stories_before_what_is_learned() -> None:
    assert decide("greet", Learned("action_x", 1.0)).policy == "RulePolicy"
    talk = Bot(PROJECT)
    talk.hear("greet")
    talk.tracker.append(says("bye"))
    assert talk.policies.decide(talk.tracker).policy == "MemoizationPolicy"


def test_a_learned_policy_wins_only_above_the_fallback_threshold() -> None:
    assert decide("order", Learned("action_x", 0.9)).action == "action_x"
    assert decide("order", Learned("action_x", 0.2)).action == "action_default_fallback"


def test_a_learned_policy_sees_the_states() -> None:
    learned = Learned("action_x", 0.9)
    decide("order", learned)
    assert learned.seen == [State(), State("order", action="action_listen")]


def test_a_followup_comes_before_all_policies() -> None:
    events = [listened(), says("greet"), FollowupAction(name="action_x")]
    decision = policies_of(PROJECT).decide(Tracker("test", DOMAIN, events))
    assert (decision.action, decision.policy) == ("action_x", "followup_action")


def test_a_followup_that_does_not_exist_is_passed_over() -> None:
    events = [listened(), says("greet"), FollowupAction(name="action_ghost")]
    assert policies_of(PROJECT).decide(Tracker("test", DOMAIN, events)).action == "utter_greet"


def test_an_action_that_declined_is_not_chosen_again() -> None:
    events = [listened(), says("greet"), declined("utter_greet")]
    decision = policies_of(PROJECT).decide(Tracker("test", DOMAIN, events))
    assert decision.action == "action_default_fallback"


def test_a_learned_policy_is_told_which_action_declined() -> None:
    learned = Learned("utter_bye", 0.6)
    data = compile_policies(PROJECT)
    policies = Policies(DOMAIN, PROJECT.config.policies, data, learned)
    events = [listened(), says("order"), declined("action_x")]
    assert policies.decide(Tracker("test", DOMAIN, events)).action == "utter_bye"
    assert learned.without == "action_x"


def test_policies_that_the_project_does_not_name_stay_out() -> None:
    only_rules = project(
        DOMAIN, rules=PROJECT.rules, stories=PROJECT.stories, names=("RulePolicy",)
    )
    assert compile_policies(only_rules).memories == ()
    only_stories = project(DOMAIN, stories=PROJECT.stories, names=("MemoizationPolicy",))
    talk = policies_of(only_stories)
    assert talk.decide(Tracker("t", DOMAIN, [listened(), says("greet")])).action == "utter_greet"
    nothing = talk.decide(Tracker("t", DOMAIN, [listened(), says("order")]))
    assert (nothing.action, nothing.confidence) == ("action_listen", 0.0)


def test_an_action_goes_into_the_tracker_with_its_reason() -> None:
    decision = Decision("action_x", "RulePolicy", 1.0, "", True, True, False)
    events = action_events(decision, [], DOMAIN)
    assert isinstance(events[0], LoopInterrupted)
    assert isinstance(events[1], ActionExecuted)
    assert (events[1].name, events[1].policy) == ("action_x", "RulePolicy")
    assert events[1].hide_rule_turn


def test_an_action_that_declined_by_itself_did_not_run() -> None:
    refusal = ActionExecutionRejected(name="action_x")
    assert action_events(Decision("action_x", "RulePolicy"), [refusal], DOMAIN) == [refusal]
