"""The bank's cards, run as the SDK runs them."""

from typing import Any

import pytest
from rasa_sdk.executor import CollectingDispatcher

from tests.bank.acting import Entities, check, run, said, tracker
from tests.bank.conftest import Load


@pytest.mark.parametrize(
    ("value", "entities", "card"),
    [
        ("debit", [], "debit card ending 4021"),
        ("the one ending 7788", [], "credit card ending 7788"),
        ("7788", [said("card_digits", "7788")], "credit card ending 7788"),
        ("prepaid", [], None),
        ("1234", [], None),
        ("", [], None),
    ],
)
def test_a_card_is_found(
    load: Load, bank: Any, value: str, entities: Entities, card: str | None
) -> None:
    form = load("card_actions").ValidateBlockCardForm()
    assert check(form.validate_card, value, tracker(value, entities))[1]["card"] == card


@pytest.mark.parametrize(
    ("text", "asked", "slots"),
    [
        ("freeze my debit card", None, {"block_mode": "freeze"}),
        ("block my debit card", None, {}),
        ("can I freeze my card?", None, {}),
        ("no wait, block it", "block_mode", {"block_mode": "block"}),
        ("what is blocking?", "block_mode", {}),
        ("/block_card", "block_mode", {}),
    ],
)
def test_a_message_says_itself_whether_to_freeze_or_to_block(
    load: Load, bank: Any, text: str, asked: str | None, slots: dict[str, Any]
) -> None:
    form = load("card_actions").ValidateBlockCardForm()
    state = tracker(text, slots={"requested_slot": asked}, form="block_card_form")
    assert form.extract_block_mode(CollectingDispatcher(), state, {}) == slots


def test_a_message_that_was_forgotten_says_nothing_more(load: Load, bank: Any) -> None:
    form = load("card_actions").ValidateBlockCardForm()
    events = [{"event": "user", "text": "I lost my card"}, {"event": "user", "text": "blah"}]
    state = tracker("I lost my card", slots={"requested_slot": "block_mode"}, events=events)
    assert form.extract_block_mode(CollectingDispatcher(), state, {}) == {}


@pytest.mark.parametrize(("mode", "state"), [("freeze", "frozen"), ("block", "blocked")])
def test_a_confirmed_block_stops_the_card(load: Load, bank: Any, mode: str, state: str) -> None:
    slots = {"card": "debit card ending 4021", "block_mode": mode, "block_confirmed": True}
    run(load("card_actions").ActionBlockCard(), tracker("yes", slots=slots))
    assert bank.cards("alex")[0].state == state


def test_a_blocked_card_is_replaced_in_the_same_step(load: Load, bank: Any) -> None:
    slots = {"card": "debit card ending 4021", "block_mode": "block", "block_confirmed": True}
    text, changed = run(load("card_actions").ActionBlockCard(), tracker("yes", slots=slots))
    assert "is on its way" in text
    assert bank.cards("alex")[-1].state == "ordered"
    assert changed["card"] is None


def test_an_unconfirmed_block_changes_nothing(load: Load, bank: Any) -> None:
    slots = {"card": "debit card ending 4021", "block_mode": "block", "block_confirmed": False}
    text, _ = run(load("card_actions").ActionBlockCard(), tracker("no", slots=slots))
    assert text == "utter_block_dropped"
    assert bank.cards("alex")[0].state == "active"


def test_a_blocked_card_is_not_blocked_again(load: Load, bank: Any) -> None:
    bank.set_card("alex", "4021", "blocked")
    form = load("card_actions").ValidateBlockCardForm()
    text, slots = check(form.validate_card, "debit", tracker("debit"))
    assert "blocked already" in text
    assert slots == {"card": None}


@pytest.mark.parametrize(
    ("before", "text", "words"),
    [
        ({"4021": "frozen"}, "unfreeze my card", "4021 works again"),
        ({"4021": "frozen"}, "unfreeze my debit card", "4021 works again"),
        ({"4021": "frozen", "7788": "frozen"}, "unfreeze my card", "Which one"),
        ({"4021": "blocked"}, "unblock my debit card", "stays that way"),
        ({}, "unblock my card", "utter_unblock_pin"),
    ],
)
def test_a_card_is_unfrozen(
    load: Load, bank: Any, before: dict[str, str], text: str, words: str
) -> None:
    for digits, state in before.items():
        bank.set_card("alex", digits, state)
    assert words in run(load("card_actions").ActionUnblockCard(), tracker(text))[0]


def test_a_new_card_is_activated(load: Load, bank: Any) -> None:
    action = load("card_actions").ActionActivateCard()
    assert run(action, tracker("activate"))[0] == "utter_activate_card"
    bank.order_card("alex", "debit", key="m0")
    assert "is active" in run(action, tracker("activate"))[0]
    assert bank.cards("alex")[-1].state == "active"


def test_a_card_is_ordered_after_a_yes(load: Load, bank: Any) -> None:
    state = tracker("yes", slots={"wanted_card": "virtual", "offer": "replacement"})
    text, slots = run(load("card_actions").ActionOrderCard(), state)
    assert "new virtual card" in text
    assert slots["offer"] == "none"


def test_a_region_is_switched_on(load: Load, bank: Any) -> None:
    state = tracker("yes", slots={"destination": "Japan", "offer": "region"})
    text, slots = run(load("card_actions").ActionEnableRegion(), state)
    assert "for Japan" in text
    assert slots == {"offer": "none", "destination": None}
