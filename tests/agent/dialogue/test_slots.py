"""What slots store and what the policies see of them."""

from typing import Any

import pytest

from agent.dialogue.slots import domain_slots, slot_feature, stored_value
from agent.project.types import Form, Slot
from tests.agent.dialogue.talk import domain

TEXT, BOOL, LIST, ANY = (Slot("s", kind) for kind in ("text", "bool", "list", "any"))
COLOUR = Slot("s", "categorical", values=("Red", "green"))
AGE = Slot("s", "float", min_value=0.0, max_value=10.0)


@pytest.mark.parametrize(
    ("slot", "value", "feature"),
    [
        (TEXT, None, ()),
        (TEXT, "", (1.0,)),
        (TEXT, "Rome", (1.0,)),
        (LIST, [], ()),
        (LIST, ["ham"], (1.0,)),
        (LIST, 3, ()),
        (BOOL, None, ()),
        (BOOL, True, (1.0, 1.0)),
        (BOOL, False, (1.0, 0.0)),
        (BOOL, 0, (1.0, 0.0)),
        (BOOL, "TRUE ", (1.0, 1.0)),
        (BOOL, "1", (1.0, 1.0)),
        (BOOL, "maybe", ()),
        (BOOL, [], ()),
        (COLOUR, "RED", (1.0, 0.0, 0.0)),
        (COLOUR, "blue", (0.0, 0.0, 1.0)),
        (AGE, 5, (1.0, 0.5)),
        (AGE, "2.5", (1.0, 0.25)),
        (AGE, 99, (1.0, 1.0)),
        (AGE, -1, (1.0, 0.0)),
        (AGE, "old", ()),
        (ANY, "x", ()),
        (Slot("s", "text", influence_conversation=False), "x", ()),
        (TEXT, "should_not_be_set", "should_not_be_set"),
        (AGE, "should_not_be_set", "should_not_be_set"),
    ],
)
def test_features_are_those_of_rasas_slot_types(slot: Slot, value: Any, feature: Any) -> None:
    assert slot_feature(slot, value) == feature


def test_a_list_slot_wraps_a_single_value_and_keeps_none() -> None:
    assert stored_value(LIST, "ham") == ["ham"]
    assert stored_value(LIST, None) is None
    assert stored_value(TEXT, ["ham"]) == ["ham"]


def test_built_in_slots_stand_where_rasa_adds_them() -> None:
    assert list(domain_slots(domain())) == ["session_started_metadata"]
    with_form = domain_slots(domain(forms=[Form("pizza_form")]))
    assert "requested_slot" in with_form
    with_knowledge = domain_slots(domain(actions=["action_query_knowledge_base"]))
    assert "knowledge_base_last_object" in with_knowledge


def test_a_declared_built_in_slot_keeps_its_declaration() -> None:
    mine = Slot("requested_slot", "categorical", values=("city",))
    slots = domain_slots(domain(slots={"requested_slot": mine}, forms=[Form("pizza_form")]))
    assert slots["requested_slot"] is mine
