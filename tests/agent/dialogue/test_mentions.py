from typing import Any

import pytest

from agent.dialogue import Tracker
from agent.dialogue.events import UserUttered
from agent.dialogue.mentions import Mention, mentions, other_clauses, same_value
from agent.dialogue.repair_words import marks_of
from agent.project.types import Domain, Form, MappingCondition, Slot, SlotMapping
from tests.agent.dialogue.talk import domain, from_entity, loop, slot

ASKED = (MappingCondition("order_form", "count"),)
SLOTS = {
    "city": Slot("city", "text", mappings=(from_entity("city"),)),
    "start": Slot("start", "text", mappings=(from_entity("size", role="from"),)),
    "count": Slot("count", "text", mappings=(from_entity("size", conditions=ASKED),)),
    "mode": Slot(
        "mode", "categorical", values=("fast", "slow"), mappings=(SlotMapping("from_text"),)
    ),
    "other": Slot("other", "text", mappings=(from_entity("city"),)),
}


def a_domain() -> Domain:
    return domain(slots=SLOTS, forms=[Form("order_form", ("city", "start", "count", "mode"))])


def found(text: str, *entities: dict[str, Any]) -> list[Mention]:
    placed = [{"start": text.find(str(e["value"])), **e} for e in entities]
    placed = [{"end": e["start"] + len(str(e["value"])), **e} for e in placed]
    heard = UserUttered(text=text, parse_data={"entities": placed})
    events = [loop("order_form"), slot("requested_slot", "count"), heard]
    return mentions(Tracker("test", a_domain(), events), a_domain(), marks_of("en"))


def test_an_entity_is_for_the_slots_of_the_form_that_read_it() -> None:
    assert found("to Rome", {"entity": "city", "value": "Rome"}) == [
        Mention("Rome", ("city",), 3, 7)
    ]


def test_a_role_chooses_the_slot_and_without_one_all_are_possible() -> None:
    (by_role,) = found("from 3", {"entity": "size", "value": "3", "role": "from"})
    (plain,) = found("3", {"entity": "size", "value": "3"})
    (unknown,) = found("3", {"entity": "size", "value": "3", "role": "up"})
    assert (by_role.slots, plain.slots) == (("start",), ("count",))
    assert unknown.slots == ("start", "count")


def test_denied_values_are_marked() -> None:
    said = found("3, not 5", {"entity": "size", "value": "3"}, {"entity": "size", "value": "5"})
    assert [(m.value, m.denied) for m in said] == [("3", False), ("5", True)]


def test_a_denied_span_of_two_values_denies_the_first() -> None:
    said = found("not 50, 70", {"entity": "size", "value": "50, 70"})
    assert [(m.value, m.start, m.denied) for m in said] == [("50", 4, True), ("70", 8, False)]


def test_a_number_that_no_entity_marks_stands_in_for_a_denied_one() -> None:
    said = found("50, not 500", {"entity": "size", "value": "500"})
    assert [(m.value, m.denied) for m in said] == [("50", False), ("500", True)]
    two = found("50 or 60, not 500", {"entity": "size", "value": "500"})
    assert [m.value for m in two] == ["500"]


def test_a_value_of_a_categorical_slot_is_found_by_its_name() -> None:
    (said,) = found("rather Slow please")
    assert (said.value, said.slots, said.by_name) == ("slow", ("mode",), True)


def test_entities_of_a_payload_stand_nowhere() -> None:
    payload = '/inform{"city": "Rome"}'
    entity = {"entity": "city", "value": "Rome", "start": 7, "end": len(payload)}
    (said,) = found(payload, entity)
    assert (said.start, said.end, said.denied) == (0, 0, False)


@pytest.mark.parametrize("entity", [{"entity": "nothing", "value": 1}, {"entity": "city"}])
def test_what_fills_no_slot_of_the_form_is_left_out(entity: dict[str, Any]) -> None:
    assert not found("hello", {"value": None, **entity})


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("€500.00", "500", True),
        ("1,200.50", 1200.5, True),
        ("50", "500", False),
        ("savings account", "Savings", True),
        ("Anna", "Hannah", False),
        ("savings", "current", False),
        (None, "x", False),
        ("", "x", False),
        (True, True, True),
        ("五十", "五十", True),
    ],
)
def test_values_are_the_same_if_a_person_would_say_so(a: Any, b: Any, same: bool) -> None:
    assert same_value(a, b) is same


@pytest.mark.parametrize(
    ("text", "spans", "rest"),
    [
        ("Amazon, 30 euros", [(8, 10)], "Amazon"),
        ("30 euros; Amazon", [(0, 2)], "Amazon"),
        ("they took 30 euros too much from me", [(10, 12)], "they took 30 euros too much from me"),
        ("30", [(0, 2)], ""),
        ("", [], ""),
    ],
)
def test_clauses_about_other_values_are_left_out(
    text: str, spans: list[tuple[int, int]], rest: str
) -> None:
    assert other_clauses(text, spans) == rest
