"""Forms: the five rules of Rasa's forms, each from the outside."""

from typing import Any

import pytest

from agent.actions.types import ActionRejected
from agent.dialogue import Tracker
from agent.dialogue.events import (
    ActionExecutionRejected,
    Event,
    LoopInterrupted,
    SlotSet,
)
from agent.dialogue.forms import run_form
from agent.errors import ActionError
from agent.project.types import Domain, Form, MappingCondition, Slot, SlotMapping
from tests.agent.dialogue.talk import (
    Actions,
    declined,
    domain,
    from_entity,
    listened,
    loop,
    ran,
    says,
    slot,
)

NAME = "pizza_form"
TEXT = SlotMapping("from_text", conditions=(MappingCondition(NAME, "size"),))
SLOTS = {
    "city": Slot("city", "text", mappings=(from_entity("city"),)),
    "size": Slot("size", "text", mappings=(from_entity("size"), TEXT)),
    "tip": Slot("tip", "any", mappings=(SlotMapping("custom"),)),
}
ORDER = [listened(), says("order")]


def a_domain(
    *actions: str, responses: tuple[str, ...] = ("utter_ask_city", "utter_ask_size")
) -> Domain:
    return domain(
        slots=SLOTS, forms=[Form(NAME, ("city", "size"))], actions=actions, responses=responses
    )


def asked(name: str | None, *, opened: bool = True) -> list[Event]:
    start: list[Event] = [ran(NAME), loop(NAME)] if opened else []
    return [*start, slot("requested_slot", name), listened()]


async def run(dom: Domain, *events: Event, actions: Actions | None = None) -> list[str]:
    """What the form did: `slot=value`, `loop name` and what was said."""
    call = actions or Actions()
    result = await run_form(NAME, Tracker("test", dom, events), dom, call)
    return [shown(event) for event in result.events]


def shown(event: Event) -> str:
    data: dict[str, Any] = event.to_dict()
    match event.kind:
        case "slot":
            return f"{data['name']}={data['value']}"
        case "active_loop":
            return f"loop {data['name']}"
        case "bot":
            return str(data["text"])
        case kind:
            return kind


async def test_opening_asks_for_the_first_slot() -> None:
    assert await run(a_domain(), *ORDER) == [
        "loop pizza_form",
        "requested_slot=city",
        "utter_ask_city",
    ]


async def test_opening_takes_what_the_message_already_says() -> None:
    said = says("order", city="Rome")
    assert await run(a_domain(), listened(), said, slot("city", "Rome")) == [
        "loop pizza_form",
        "city=Rome",
        "requested_slot=size",
        "utter_ask_size",
    ]


async def test_opening_with_everything_known_ends_at_once() -> None:
    known = [slot("city", "Rome"), slot("size", "XL")]
    assert await run(a_domain(), *known, *ORDER) == [
        "loop pizza_form",
        "requested_slot=None",
        "loop None",
    ]


async def test_an_answer_leads_to_the_next_question() -> None:
    talk = [*ORDER, *asked("city"), says("inform", city="Rome"), slot("city", "Rome")]
    assert await run(a_domain(), *talk) == ["requested_slot=size", "utter_ask_size"]


async def test_the_last_answer_ends_the_form() -> None:
    talk = [*ORDER, slot("city", "Rome"), *asked("size"), says("inform", "XL"), slot("size", "XL")]
    assert await run(a_domain(), *talk) == ["requested_slot=None", "loop None"]


@pytest.mark.parametrize(
    "asking",
    [
        "action_ask_pizza_form_city",
        "utter_ask_pizza_form_city",
        "action_ask_city",
        "utter_ask_city",
    ],
)
async def test_the_question_is_the_first_of_four_that_exists(asking: str) -> None:
    order = (
        "action_ask_pizza_form_city",
        "utter_ask_pizza_form_city",
        "action_ask_city",
        "utter_ask_city",
    )
    there = order[order.index(asking) :]
    actions = tuple(name for name in there if name.startswith("action"))
    responses = tuple(name for name in there if name.startswith("utter"))
    done = await run(a_domain(*actions, responses=responses), *ORDER)
    assert done[-1] == asking


async def test_a_slot_without_a_question_is_still_requested() -> None:
    done = await run(a_domain(responses=()), *ORDER)
    assert done == ["loop pizza_form", "requested_slot=city"]


async def test_the_question_sees_the_form_under_way() -> None:
    actions = Actions()
    await run(a_domain("action_ask_city"), *ORDER, actions=actions)
    seen = actions.seen[0]
    assert seen.active_loop == NAME
    assert seen.latest_action_name == NAME


async def test_a_message_that_fills_nothing_makes_the_form_decline() -> None:
    with pytest.raises(ActionRejected, match="'city'"):
        await run(a_domain(), *ORDER, *asked("city"), says("chitchat"))


async def test_another_slot_of_the_form_is_as_good_an_answer() -> None:
    talk = [*ORDER, *asked("city"), says("inform", "XL"), slot("size", "XL")]
    assert await run(a_domain(), *talk) == ["requested_slot=city", "utter_ask_city"]


async def test_validation_decides_what_a_slot_becomes() -> None:
    actions = Actions(validate_pizza_form=[[slot("city", None)]])
    talk = [*ORDER, *asked("city"), says("inform", city="Atlantis"), slot("city", "Atlantis")]
    assert await run(a_domain("validate_pizza_form"), *talk, actions=actions) == [
        "city=None",
        "requested_slot=city",
        "utter_ask_city",
    ]
    seen = actions.seen[0]
    assert seen.slots["city"] == "Atlantis"
    assert [e.value for e in seen.events if isinstance(e, SlotSet)][-1] == "Atlantis"


async def test_validation_at_the_opening_judges_what_is_known() -> None:
    actions = Actions(validate_pizza_form=[[slot("city", "ROME")]])
    talk = [slot("city", "Rome"), *ORDER]
    assert await run(a_domain("validate_pizza_form"), *talk, actions=actions) == [
        "loop pizza_form",
        "city=ROME",
        "requested_slot=size",
        "utter_ask_size",
    ]


async def test_validation_may_fill_a_slot_that_extraction_missed() -> None:
    actions = Actions(validate_pizza_form=[[slot("city", "Rome")]])
    done = await run(
        a_domain("validate_pizza_form"), *ORDER, *asked("city"), says("inform"), actions=actions
    )
    assert done == ["city=Rome", "requested_slot=size", "utter_ask_size"]


async def test_validation_may_choose_the_next_question() -> None:
    actions = Actions(validate_pizza_form=[[slot("requested_slot", "size")]])
    talk = [*ORDER, *asked("city"), says("inform", city="Rome"), slot("city", "Rome")]
    assert await run(a_domain("validate_pizza_form"), *talk, actions=actions) == [
        "requested_slot=size",
        "utter_ask_size",
    ]


async def test_requested_slot_null_ends_the_form_early() -> None:
    actions = Actions(validate_pizza_form=[[slot("requested_slot", None)]])
    talk = [*ORDER, *asked("city"), says("inform", city="Rome"), slot("city", "Rome")]
    assert await run(a_domain("validate_pizza_form"), *talk, actions=actions) == [
        "requested_slot=None",
        "requested_slot=None",
        "loop None",
    ]


async def test_validation_may_decline_by_exception_or_by_event() -> None:
    talk = [*ORDER, *asked("city"), says("inform", city="Rome"), slot("city", "Rome")]
    dom = a_domain("validate_pizza_form")
    with pytest.raises(ActionRejected):
        await run(dom, *talk, actions=Actions(validate_pizza_form=ActionRejected("x")))
    refusal = [[slot("city", None), ActionExecutionRejected(name=NAME)]]
    done = await run(dom, *talk, actions=Actions(validate_pizza_form=refusal))
    assert done == ["city=None", "action_execution_rejected"]


async def test_a_failing_validation_is_not_swallowed() -> None:
    with pytest.raises(ActionError):
        await run(
            a_domain("validate_pizza_form"),
            *ORDER,
            actions=Actions(validate_pizza_form=ActionError("validate_pizza_form", "crashed")),
        )


async def test_after_an_interruption_the_form_asks_again_without_judging() -> None:
    aside = [says("chitchat"), declined(NAME), ran("utter_chitchat")]
    talk = [*ORDER, *asked("city"), *aside]
    again = ["requested_slot=city", "utter_ask_city"]
    assert await run(a_domain(), *talk) == again
    returning = [*ORDER, *asked("city"), says("chitchat"), LoopInterrupted()]
    assert await run(a_domain(), *returning) == again


async def test_validation_runs_after_an_interruption_to_find_the_next_slot() -> None:
    actions = Actions(validate_pizza_form=[[slot("requested_slot", "size")]])
    talk = [*ORDER, *asked("city"), says("chitchat"), declined(NAME), ran("utter_chitchat")]
    done = await run(a_domain("validate_pizza_form"), *talk, actions=actions)
    assert done == ["requested_slot=size", "utter_ask_size"]
    assert actions.called[0] == "validate_pizza_form"


async def test_another_forms_question_does_not_count_as_this_ones() -> None:
    other = [ran("other_form"), loop("other_form"), slot("requested_slot", "tip"), listened()]
    assert await run(a_domain(), *ORDER, *other, says("order")) == [
        "loop pizza_form",
        "requested_slot=city",
        "utter_ask_city",
    ]
