"""Everything that an action server may answer, malformed once: the conversation goes on."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agent.actions.executor import Executor
from agent.actions.speech import Speech
from agent.actions.types import ActionServerReply
from agent.dialogue import Tracker
from agent.dialogue.events import ActionExecuted
from agent.dialogue.repair import Repair
from agent.project.types import Form, Slot
from agent.prompts.responses import DomainResponses
from agent.prompts.templates import load_templates
from agent.turn import Decision
from tests.agent.dialogue.talk import (
    domain,
    from_entity,
    policies_of,
    project,
    rule,
    says,
)

DOMAIN = domain(
    slots={"city": Slot("city", "text", mappings=(from_entity("city"),))},
    forms=[Form("trip_form", ("city",))],
    actions=("action_odd",),
)
EVENTS: list[Any] = [
    {},
    {"event": "nothing"},
    {"event": 5},
    {"event": ["slot"]},
    {"event": "slot"},
    {"event": "slot", "name": 5, "value": 1},
    {"event": "slot", "name": ["a"], "value": 1},
    {"event": "slot", "name": "nope", "value": 1},
    {"event": "slot", "name": "city", "value": {"deep": [1]}},
    {"event": "slot", "name": "city", "value": "x", "timestamp": "noon"},
    {"event": "slot", "name": "city", "value": "x", "metadata": 5},
    {"event": "user", "text": 5},
    {"event": "user", "text": "hi", "parse_data": "x"},
    {"event": "user", "text": "hi", "parse_data": {"intent": "greet"}},
    {"event": "user", "text": "hi", "parse_data": {"entities": {"a": 1}}},
    {"event": "user", "text": "hi", "parse_data": {"entities": [{"value": 1}]}},
    {"event": "bot", "text": ["a"]},
    {"event": "bot", "data": "x"},
    {"event": "action", "name": 5},
    {"event": "active_loop", "name": ["a"]},
    {"event": "active_loop", "name": "no_form"},
    {"event": "loop_interrupted", "is_interrupted": "x"},
    {"event": "action_execution_rejected"},
    {"event": "followup", "name": "action_nope"},
    {"event": "followup", "name": 5},
    {"event": "reminder"},
    {"event": "reminder", "intent": 5, "date_time": "2026-11-24T12:00:00"},
    {"event": "reminder", "intent": "greet", "date_time": "soon"},
    {"event": "cancel_reminder", "entities": 5},
    {"event": "entities", "entities": 5},
    {"event": "entities", "entities": [5]},
    {"event": "form", "name": 5},
    {"event": "form_validation", "validate": "x"},
    {"event": "undo", "more": {"a": 1}},
    {"event": "rewind"},
    {"event": "restart", "timestamp": None},
]
RESPONSES: list[Any] = [
    {},
    {"text": 5},
    {"text": None},
    {"text": ["a"]},
    {"buttons": 5},
    {"buttons": "x"},
    {"buttons": [5, {"title": 5}, {}]},
    {"image": 5},
    {"elements": 5},
    {"custom": [1, {"a": "{nope}"}]},
    {"attachment": 5},
    {"quick_replies": 5},
    {"response": "utter_nope"},
    {"response": 5},
    {"template": ["a"]},
    {"text": "{nope} {0} {"},
]


class Odd:
    """An action server that answers what it is given."""

    def __init__(self, **reply: Any) -> None:
        self.reply = ActionServerReply(**reply)

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        return self.reply

    async def names(self) -> list[str]:
        return []

    async def close(self) -> None: ...


async def goes_on(**reply: Any) -> Tracker:
    """The conversation after the odd reply, its next decisions made and its state written."""
    made = project(DOMAIN, rules=[rule("r", "?greet", "action_odd")])
    policies = policies_of(made)
    speech = Speech(DomainResponses(DOMAIN), load_templates(), None)
    executor = Executor(DOMAIN, speech, Odd(**reply))
    tracker = Tracker("c", DOMAIN, [ActionExecuted(name="action_listen"), says("greet")])
    result = await executor.run(Decision("action_odd", "x"), tracker, channel="test")
    tracker.extend([ActionExecuted(name="action_odd"), *result.events])
    repair = Repair(DOMAIN, policies, made.config)
    tracker.extend([ActionExecuted(name="action_listen"), says("inform", city="Rome")])
    tracker.extend(repair.take((), tracker))
    repair.steer(tracker, [], policies.decide(tracker))
    json.dumps(tracker.current_state("ALL"))
    return tracker


@pytest.mark.parametrize("event", EVENTS, ids=json.dumps)
async def test_an_odd_event_ends_no_conversation(event: Any) -> None:
    tracker = await goes_on(events=(event,))
    assert tracker.latest_message is not None
    assert tracker.latest_message.intent == "inform"


@pytest.mark.parametrize("response", RESPONSES, ids=json.dumps)
async def test_an_odd_response_ends_no_conversation(response: Any) -> None:
    assert (await goes_on(responses=(response,))).latest_message is not None


@pytest.mark.parametrize(
    ("loop", "active"),
    [("trip_form", "trip_form"), ("action_odd", "action_odd"), ("no_form", None), (None, None)],
)
async def test_a_loop_that_nothing_runs_does_not_become_active(
    loop: str | None, active: str | None
) -> None:
    tracker = await goes_on(events=({"event": "active_loop", "name": loop},))
    assert tracker.active_loop == active
