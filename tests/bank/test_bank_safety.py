"""What must never happen by a misunderstanding: money sent, a card made to work again."""

from typing import Any

import pytest

from tests.bank.acting import READY, Entities, check, run, said, tracker
from tests.bank.conftest import Load

IBAN = "DE89 3704 0044 0532 0130 00"
CONFIRMATIONS = [
    ("transfer_actions", "ValidateTransferForm", "transfer_confirmed"),
    ("card_actions", "ValidateBlockCardForm", "block_confirmed"),
    ("dispute_actions", "ValidateDisputeForm", "dispute_confirmed"),
]


@pytest.mark.parametrize(("module", "form", "slot"), CONFIRMATIONS)
@pytest.mark.parametrize(
    ("text", "intent", "answer"),
    [
        ("/affirm", ("affirm", 1.0), True),
        ("yes please", ("affirm", 0.9), True),
        ("why not?", ("affirm", 0.9), True),
        ("yes I want that", ("affirm", 0.9), True),
        ("?", ("affirm", 0.9), None),
        ("ok maybe later", ("affirm", 0.95), None),
        ("yes but make it 60", ("affirm", 0.95), None),
        ("don\u2019t", ("affirm", 0.95), None),
        ("yes, wait", ("affirm", 0.95), None),
        ("hm", ("affirm", 0.79), None),
        ("yes", ("inform", 0.95), None),
        ("yes", None, None),
    ],
)
def test_only_a_clear_yes_confirms(
    load: Load,
    bank: Any,
    module: str,
    form: str,
    slot: str,
    text: str,
    intent: tuple[str, float] | None,
    answer: bool | None,
) -> None:
    method = getattr(getattr(load(module), form)(), f"validate_{slot}")
    state = tracker(text, slots=READY, intent=intent)
    assert check(method, True, state)[1] == {slot: answer}


@pytest.mark.parametrize(("module", "form", "slot"), CONFIRMATIONS)
def test_a_no_stays_a_no(load: Load, bank: Any, module: str, form: str, slot: str) -> None:
    method = getattr(getattr(load(module), form)(), f"validate_{slot}")
    assert check(method, False, tracker("no", slots=READY))[1] == {slot: False}


@pytest.mark.parametrize(("module", "form", "slot"), CONFIRMATIONS)
def test_a_question_is_no_no(load: Load, bank: Any, module: str, form: str, slot: str) -> None:
    method = getattr(getattr(load(module), form)(), f"validate_{slot}")
    assert check(method, False, tracker("can't I undo it?", slots=READY))[1] == {slot: None}


def test_a_no_with_an_amount_that_is_not_understood_is_asked_again(load: Load, bank: Any) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    state = tracker("not that, 70 or 80", slots=READY)
    text, slots = check(form.validate_transfer_confirmed, False, state)
    assert text == "utter_wrong_amount"
    assert slots == {"transfer_confirmed": None}


@pytest.mark.parametrize(
    ("text", "entities", "iban"),
    [
        ("actually to Anna", [said("payee", "Anna")], None),
        ("to my savings account", [said("account", "savings", "to")], None),
        ("actually to Dora", [said("payee", "Dora")], None),
        (f"to Dora, {IBAN}", [said("payee", "Dora"), said("account_number", IBAN)], IBAN),
        ("to Carla", [said("payee", "Carla")], "XX00 TARW 1111 2222 3333"),
    ],
)
def test_another_recipient_does_not_keep_the_account_number(
    load: Load, bank: Any, text: str, entities: Entities, iban: str | None
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    before = {"event": "slot", "name": "recipient", "value": "Carla"}
    state = tracker(
        text,
        entities,
        slots={"recipient": "Carla", "recipient_iban": "XX00 TARW 1111 2222 3333"},
        events=[before, {"event": "user", "text": text}],
    )
    slots = check(form.validate_recipient, entities[0]["value"], state)[1]
    assert slots["recipient_iban"] == iban


def test_another_payee_instead_of_an_account_number_is_taken(load: Load, bank: Any) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    state = tracker("actually to Anna", [said("payee", "Anna")], slots={"recipient": "Carla"})
    assert check(form.validate_recipient_iban, "Anna", state)[1] == {
        "recipient": "Anna Schmidt",
        "recipient_iban": None,
    }


@pytest.mark.parametrize(
    ("text", "entities", "recipient"),
    [
        ("DE88 3704 0044 0532 0130 00", [], None),
        ("DE88 37040044 0532013000", [], None),
        ("DE89 3704 0044", [], None),
        ("Carla, DE88 3704 0044 0532 0130 00", [said("payee", "Carla")], "Carla"),
    ],
)
def test_a_wrong_iban_is_called_wrong(
    load: Load, bank: Any, text: str, entities: Entities, recipient: str | None
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    value = entities[0]["value"] if entities else text
    answer, slots = check(form.validate_recipient, value, tracker(text, entities))
    assert answer == "utter_wrong_iban"
    assert slots == {"recipient": recipient, "recipient_iban": None}


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("and 30 more", [said("amount", "30")]),
        ("plus 30", [said("amount", "30")]),
        ("50 or 60", []),
        ("50 or 60", [{**said("amount", "50"), "start": 0}, {**said("amount", "60"), "start": 6}]),
        ("€0.001", []),
        ("1e9", []),
    ],
)
def test_an_amount_that_is_not_exact_is_asked_again(
    load: Load, bank: Any, text: str, entities: Entities
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    value = entities[0]["value"] if entities else text
    answer, slots = check(form.validate_transfer_amount, value, tracker(text, entities))
    assert answer == "utter_wrong_amount"
    assert slots == {"transfer_amount": None}


@pytest.mark.parametrize(
    "text",
    [
        "is my card frozen?",
        "is my card unfrozen",
        "why is it blocked",
        "don't unfreeze it",
        "please do not unblock my card",
        "can you check whether it is unblocked",
        "how do I unfreeze a card",
    ],
)
def test_a_question_or_a_no_unfreezes_nothing(load: Load, bank: Any, text: str) -> None:
    bank.set_card("alex", "4021", "frozen")
    answer, _ = run(load("card_actions").ActionUnblockCard(), tracker(text))
    assert "4021 is frozen" in answer
    assert bank.cards("alex")[0].state == "frozen"


@pytest.mark.parametrize(
    "text",
    [
        "pls unblok card",
        "why is my card blocked? please open it",
        "false alarm, it was in my coat. Please undo the block",
        "my card isn't lost after all, unlock it",
        "my frozen card should work again",
        "can you turn it back on",
    ],
)
def test_a_clear_request_unfreezes(load: Load, bank: Any, text: str) -> None:
    bank.set_card("alex", "4021", "frozen")
    run(load("card_actions").ActionUnblockCard(), tracker(text))
    assert bank.cards("alex")[0].state == "active"
