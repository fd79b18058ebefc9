"""The tracker: a fold over events that costs the same at any length and equals a replay."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dialogue import Tracker
from agent.dialogue.events import (
    ActionReverted,
    AllSlotsReset,
    BotUttered,
    ConversationPaused,
    ConversationResumed,
    EntitiesAdded,
    Event,
    FollowupAction,
    LoopInterrupted,
    Restarted,
    SessionStarted,
    UserUtteranceReverted,
    event_from_dict,
)
from agent.project.types import Domain, Form, SessionConfig, Slot
from tests.agent.dialogue.talk import declined, domain, listened, loop, ran, says, slot

SLOTS = {
    "city": Slot("city", "text"),
    "toppings": Slot("toppings", "list"),
    "vegan": Slot("vegan", "bool", initial_value=False),
}
FORM = Form("pizza_form", ("city",))
DOMAIN = domain(slots=SLOTS, forms=[FORM], actions=["action_x"])


def tracker(*events: Event, dom: Domain = DOMAIN) -> Tracker:
    return Tracker("anna", dom, events)


EVENTS = st.lists(
    st.one_of(
        st.sampled_from(["greet", "bye", "order", None]).map(says),
        st.just(listened()),
        st.sampled_from(["utter_greet", "action_x", "pizza_form"]).map(ran),
        st.sampled_from(["pizza_form", None]).map(loop),
        st.just(declined("pizza_form")),
        st.sampled_from(["Rome", None]).map(lambda v: slot("city", v)),
        st.sampled_from(["ham", ["ham"]]).map(lambda v: slot("toppings", v)),
        st.sampled_from(
            [
                UserUtteranceReverted(timestamp=1.0),
                ActionReverted(timestamp=1.0),
                Restarted(timestamp=1.0),
                SessionStarted(timestamp=1.0),
                AllSlotsReset(timestamp=1.0),
                BotUttered(timestamp=1.0, text="hi"),
                LoopInterrupted(timestamp=1.0),
                FollowupAction(timestamp=1.0, name="action_x"),
                ConversationPaused(timestamp=1.0),
                ConversationResumed(timestamp=1.0),
                EntitiesAdded(timestamp=1.0, entities=[{"entity": "city", "value": "Oslo"}]),
            ]
        ),
    ),
    max_size=40,
)


def everything(seen: Tracker) -> dict[str, Any]:
    return {
        **seen.current_state("ALL"),
        "applied": [event.to_dict() for event in seen.applied_events()],
        "states": [frame.state for frame in seen.frames],
        "state": seen.state(),
        "rejected": seen.rejected_action,
    }


@given(EVENTS)
def test_a_tracker_rebuilt_from_its_log_equals_the_one_in_memory(events: list[Event]) -> None:
    live = tracker(*events)
    log = json.loads(json.dumps([event.to_dict() for event in live.events]))
    again = Tracker("anna", DOMAIN, (event_from_dict(data) for data in log))
    assert everything(again) == everything(live)


@given(EVENTS, EVENTS)
def test_a_copy_goes_its_own_way(before: list[Event], after: list[Event]) -> None:
    original = tracker(*before)
    then = everything(original)
    copied = original.copy()
    copied.extend(after)
    assert everything(original) == then
    assert everything(copied) == everything(tracker(*before, *after))


@given(EVENTS)
def test_undone_messages_leave_no_trace_in_the_applied_events(events: list[Event]) -> None:
    said = says("order", "undo me")
    talk = tracker(*events, listened(), said, ran("utter_greet"))
    talk.append(UserUtteranceReverted())
    assert said not in talk.applied_events()
    assert said in talk.events


def test_slots_start_at_their_initial_values_and_lists_wrap_single_values() -> None:
    talk = tracker(slot("toppings", "ham"))
    assert talk.slots["vegan"] is False
    assert talk.slots["toppings"] == ["ham"]
    assert talk.slots["city"] is None


def test_a_slot_that_the_domain_does_not_have_is_not_kept() -> None:
    assert "shoe_size" not in tracker(slot("shoe_size", 42)).slots


def test_a_form_brings_the_requested_slot_along() -> None:
    assert "requested_slot" in tracker().slots
    assert "requested_slot" not in tracker(dom=domain()).slots


def test_a_new_conversation_listens_first() -> None:
    assert tracker().followup_action == "action_listen"
    assert tracker().latest_action == {}
    assert tracker(listened()).followup_action is None
    assert tracker(listened()).latest_action_name == "action_listen"


def test_a_followup_lasts_until_the_next_action_or_message() -> None:
    talk = tracker(listened(), FollowupAction(name="action_x"))
    assert talk.followup_action == "action_x"
    assert tracker(*talk.events, ran("action_x")).followup_action is None
    assert tracker(*talk.events, says("greet")).followup_action is None
    assert tracker(*talk.events, declined("action_x")).followup_action is None


def test_the_active_loop_knows_its_trigger_rejection_and_interruption() -> None:
    talk = tracker(listened(), says("order", "a pizza"), ran("pizza_form"), loop("pizza_form"))
    assert talk.active_loop == "pizza_form"
    talk.append(declined("pizza_form"))
    assert talk.current_state()["active_loop"] == {
        "name": "pizza_form",
        "is_interrupted": False,
        "rejected": True,
        "trigger_message": says("order", "a pizza").parse_data,
    }
    assert talk.rejected_action == "pizza_form"
    talk.append(LoopInterrupted())
    assert talk.current_state()["active_loop"]["is_interrupted"]
    talk.append(ran("pizza_form"))
    after = talk.current_state()["active_loop"]
    assert (after["is_interrupted"], after["rejected"]) == (False, False)
    assert talk.rejected_action is None


def test_a_restart_forgets_all_and_calls_for_a_new_session() -> None:
    talk = tracker(listened(), says("greet"), slot("city", "Rome"), Restarted())
    assert talk.slots["city"] is None
    assert talk.followup_action == "action_session_start"
    assert talk.events_after_restart() == []
    assert talk.applied_events() == []
    assert len(talk.events) == 4


def test_a_session_start_forgets_what_was_before_but_keeps_the_log() -> None:
    talk = tracker(listened(), says("greet"), slot("city", "Rome"), SessionStarted())
    assert talk.slots["city"] is None
    assert talk.applied_events() == []
    assert len(talk.events_after_restart()) == 4


def test_a_new_session_is_needed_at_the_start_and_after_the_time_is_over() -> None:
    assert tracker().new_session_needed(0.0)
    talk = tracker(listened(), says("greet"))
    assert not talk.new_session_needed(1.0 + 60 * 60)
    assert talk.new_session_needed(2.0 + 60 * 60)
    endless = domain(session=SessionConfig(expiration_time_min=0))
    assert not tracker(*talk.events, dom=endless).new_session_needed(1e12)


def test_a_session_lasts_from_the_latest_message_that_still_counts() -> None:
    late = replace(says("order"), timestamp=3000.0)
    talk = tracker(listened(), says("greet"), ran("utter_greet"), listened(), late)
    assert not talk.new_session_needed(2.0 + 60 * 60)
    talk.append(UserUtteranceReverted())
    assert talk.new_session_needed(2.0 + 60 * 60)
    talk.append(UserUtteranceReverted())
    assert talk.new_session_needed(0.0)


def test_a_pause_lasts_until_resumed() -> None:
    assert tracker(ConversationPaused()).paused
    assert not tracker(ConversationPaused(), ConversationResumed()).paused


def test_undoing_an_action_restores_the_slots_before_it() -> None:
    talk = tracker(listened(), says("greet"), ran("action_x"), slot("city", "Rome"))
    talk.append(ActionReverted())
    assert talk.slots["city"] is None
    assert talk.latest_action_name == "action_listen"


def test_rewinding_returns_to_before_the_message_and_its_listening() -> None:
    first = [listened(), says("greet"), ran("utter_greet")]
    talk = tracker(*first, listened(), says("order"), slot("city", "Rome"), ran("action_x"))
    talk.append(UserUtteranceReverted())
    assert talk.latest_action_name == "utter_greet"
    assert talk.latest_message == says("greet")
    assert talk.applied_events() == first


def test_a_loop_that_runs_on_leaves_only_its_slots_behind() -> None:
    opened = [listened(), says("order"), ran("pizza_form"), loop("pizza_form")]
    asked = slot("requested_slot", "city")
    filled = [slot("city", "Rome"), slot("requested_slot", None)]
    talk = tracker(*opened, asked, listened(), says("inform"), filled[0], ran("pizza_form"))
    talk.append(filled[1])
    assert talk.applied_events() == [*opened, asked, *filled]
    assert talk.latest_message == says("inform")
    assert talk.latest_action_name == "pizza_form"


def test_a_loop_that_was_interrupted_keeps_the_interruption() -> None:
    opened = [listened(), says("order"), ran("pizza_form"), loop("pizza_form")]
    aside = [listened(), says("chitchat"), declined("pizza_form"), ran("utter_chitchat")]
    talk = tracker(*opened, *aside, ran("pizza_form"))
    assert talk.applied_events() == [*opened, *aside, ran("pizza_form")]


def test_entities_added_by_a_policy_count_as_the_messages_own() -> None:
    added = {"entity": "size", "value": "XL"}
    talk = tracker(listened(), says("order", city="Rome"), EntitiesAdded(entities=[added]))
    assert talk.latest_message is not None
    assert [e["entity"] for e in talk.latest_message.entities] == ["city", "size"]
    assert talk.state().entities == ("city", "size")


def test_the_state_has_rasas_keys() -> None:
    state = tracker(listened(), says("greet", "hi")).current_state("AFTER_RESTART")
    assert set(state) == {
        "sender_id",
        "slots",
        "latest_message",
        "latest_event_time",
        "followup_action",
        "paused",
        "events",
        "latest_input_channel",
        "active_loop",
        "latest_action",
        "latest_action_name",
    }
    assert state["sender_id"] == "anna"
    assert state["latest_message"]["intent"]["name"] == "greet"
    assert state["latest_input_channel"] == "test"
    assert [event["event"] for event in state["events"]] == ["action", "user"]
    assert tracker().current_state()["events"] is None


@pytest.mark.parametrize("verbosity", ["ALL", "APPLIED", "AFTER_RESTART", "NONE"])
def test_every_verbosity_is_plain_json(verbosity: Any) -> None:
    talk = tracker(listened(), says("greet"), ran("pizza_form"), loop("pizza_form"))
    json.dumps(talk.current_state(verbosity))


def test_older_form_events_are_understood() -> None:
    talk = Tracker.from_events(
        "anna",
        DOMAIN,
        [
            {"event": "form", "name": "pizza_form", "timestamp": 1.0},
            {"event": "form_validation", "name": "x", "validate": False},
        ],
    )
    assert talk.active_loop == "pizza_form"
    assert talk.loop is not None
    assert talk.loop.is_interrupted


def test_an_event_costs_the_same_after_a_thousand_others() -> None:
    turn = [listened(), says("inform"), slot("city", "Rome"), ran("pizza_form")]
    talk = tracker(listened(), says("order"), ran("pizza_form"), loop("pizza_form"))
    steps = 0

    class Counted(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            nonlocal steps
            steps += 1
            return super().__getitem__(index)

    costs = []
    for _ in range(600):
        talk._applied._entries = Counted(talk._applied._entries)
        steps = 0
        talk.extend(turn)
        costs.append(steps)
    assert max(costs[-10:]) <= max(costs[:10])
