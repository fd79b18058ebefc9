"""Slots filled from a message: every kind of mapping and what restricts it."""

from dataclasses import replace
from typing import Any

from agent.actions.types import ActionRejected, ActionResult
from agent.dialogue import Tracker
from agent.dialogue.events import BotUttered, Event, FollowupAction, UserUttered
from agent.dialogue.extraction import extract_slots, run_extract_slots
from agent.errors import ActionError
from agent.project.types import Domain, Form, MappingCondition, Slot, SlotMapping
from tests.agent.dialogue.talk import (
    Actions,
    declined,
    domain,
    from_entity,
    listened,
    loop,
    says,
    slot,
)

IN_FORM = MappingCondition(active_loop="pizza_form")
ASKED = MappingCondition(active_loop="pizza_form", requested_slot="city")
NO_FORM = MappingCondition()
FORM = Form("pizza_form", ("city", "size"), ("chitchat",))


def a_domain(*slots: Slot, actions: tuple[str, ...] = ()) -> Domain:
    return domain(slots={s.name: s for s in slots}, forms=[FORM], actions=actions)


def city(*mappings: SlotMapping, kind: str = "text") -> Slot:
    return Slot("city", kind, mappings=mappings)


def filled(dom: Domain, message: UserUttered, *before: Event) -> dict[str, Any]:
    tracker = Tracker("test", dom, [*before, listened(), message])
    return {event.name: event.value for event in extract_slots(tracker, dom)}


def mapping(kind: Any, **more: Any) -> SlotMapping:
    return SlotMapping(kind, **more)


def test_from_entity_takes_the_last_entity_of_its_label() -> None:
    message = says("inform")
    entities = [{"entity": "city", "value": v} for v in ("Rome", "Oslo")]
    message = replace(message, parse_data={**message.parse_data, "entities": entities})
    assert filled(a_domain(city(from_entity("city"))), message) == {"city": "Oslo"}
    as_list = a_domain(city(from_entity("city"), kind="list"))
    assert filled(as_list, message) == {"city": ["Rome", "Oslo"]}


def test_from_entity_wants_the_very_role_and_group() -> None:
    message = says("inform")
    entities = [{"entity": "city", "value": "Rome", "role": "to"}]
    message = replace(message, parse_data={**message.parse_data, "entities": entities})
    assert filled(a_domain(city(from_entity("city", role="to"))), message) == {"city": "Rome"}
    assert filled(a_domain(city(from_entity("city"))), message) == {}
    assert filled(a_domain(city(from_entity("city", group="1"))), message) == {}


def test_from_intent_gives_its_value() -> None:
    dom = a_domain(city(mapping("from_intent", intent=("order",), value="here")))
    assert filled(dom, says("order")) == {"city": "here"}
    assert filled(dom, says("greet")) == {}


def test_from_trigger_intent_counts_inside_a_form_only() -> None:
    dom = a_domain(city(mapping("from_trigger_intent", intent=("order",), value=True)))
    assert filled(dom, says("order")) == {}
    assert filled(dom, says("order"), loop("pizza_form")) == {"city": True}


def test_from_text_takes_the_words_and_not_intent_keeps_it_out() -> None:
    dom = a_domain(city(mapping("from_text", not_intent=("stop",), conditions=(ASKED,))))
    inside = [loop("pizza_form"), slot("requested_slot", "city")]
    assert filled(dom, says("inform", "Rome please"), *inside) == {"city": "Rome please"}
    assert filled(dom, says("stop"), *inside) == {}
    assert filled(dom, says("inform"), loop("pizza_form")) == {}
    assert filled(dom, says("inform")) == {}


def test_a_condition_without_a_form_means_outside_of_forms() -> None:
    dom = a_domain(city(mapping("from_text", conditions=(NO_FORM,))))
    assert filled(dom, says("inform", "Rome")) == {"city": "Rome"}
    assert filled(dom, says("inform", "Rome"), loop("pizza_form")) == {}


def test_a_form_that_declined_leaves_its_question_open() -> None:
    dom = a_domain(city(mapping("from_text", conditions=(IN_FORM,))))
    inside = [loop("pizza_form"), slot("requested_slot", "city"), declined("pizza_form")]
    assert filled(dom, says("inform", "Rome"), *inside) == {}


def test_ignored_intents_fill_nothing_while_their_form_is_active() -> None:
    dom = a_domain(city(mapping("from_text")))
    assert filled(dom, says("chitchat", "nice day"), loop("pizza_form")) == {}
    assert filled(dom, says("chitchat", "nice day")) == {"city": "nice day"}


def test_an_entity_that_two_slots_want_fills_only_the_one_asked_for() -> None:
    here = from_entity("city")
    dom = a_domain(city(here), Slot("size", "text", mappings=(here,)))
    inside = [loop("pizza_form"), slot("requested_slot", "size")]
    assert filled(dom, says("inform", city="Rome"), *inside) == {"size": "Rome"}
    assert filled(dom, says("inform", city="Rome")) == {"city": "Rome", "size": "Rome"}


def test_an_entity_that_only_one_slot_wants_fills_it_though_not_asked_for() -> None:
    dom = a_domain(city(from_entity("city")), Slot("size", "text", mappings=(from_entity("size"),)))
    inside = [loop("pizza_form"), slot("requested_slot", "size")]
    assert filled(dom, says("inform", city="Rome"), *inside) == {"city": "Rome"}


def test_the_first_mapping_that_gives_something_wins() -> None:
    dom = a_domain(city(from_entity("city"), mapping("from_text")))
    assert filled(dom, says("inform", "to Rome", city="Rome")) == {"city": "Rome"}
    assert filled(dom, says("inform", "to Rome")) == {"city": "to Rome"}


def test_mappings_of_unknown_entities_and_intents_fill_nothing() -> None:
    dom = a_domain(
        city(from_entity("planet"), mapping("from_intent", intent=("ghost",), value="x"))
    )
    assert filled(dom, says("ghost", planet="Mars")) == {}


async def test_a_custom_mappings_action_runs_once_and_may_only_set_slots() -> None:
    custom = mapping("custom", action="action_guess")
    dom = a_domain(
        city(custom), Slot("size", "text", mappings=(custom,)), actions=("action_guess",)
    )
    guess = [slot("city", "Rome"), FollowupAction(name="utter_bye"), BotUttered(text="hm")]
    actions = Actions(action_guess=[guess])
    tracker = Tracker("test", dom, [listened(), says("inform")])
    result = await run_extract_slots(tracker, dom, actions)
    assert actions.called == ["action_guess"]
    assert [event.kind for event in result.events] == ["slot"]


async def test_a_custom_mapping_that_fails_fills_nothing() -> None:
    dom = a_domain(city(mapping("custom", action="action_guess")), actions=("action_guess",))
    tracker = Tracker("test", dom, [listened(), says("inform")])
    for failure in (ActionError("action_guess", "crashed"), ActionRejected("action_guess")):
        result = await run_extract_slots(tracker, dom, Actions(action_guess=failure))
        assert result == ActionResult()


async def test_the_projects_validation_has_the_last_word() -> None:
    name = "action_validate_slot_mappings"
    dom = a_domain(
        city(from_entity("city")), Slot("note", "text", mappings=(mapping("from_text"),))
    )
    dom = replace(dom, actions=(name,))
    tracker = Tracker("test", dom, [listened(), says("inform", "to Rome", city="Rome")])
    actions = Actions(**{name: [[slot("city", None), BotUttered(text="No pizza there.")]]})
    result = await run_extract_slots(tracker, dom, actions)
    assert [(e.kind, getattr(e, "name", "")) for e in result.events] == [
        ("slot", "city"),
        ("bot", ""),
        ("slot", "note"),
    ]
    assert actions.seen[0].slots["city"] == "Rome"
