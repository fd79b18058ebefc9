"""The bank's transfers, run as the SDK runs them."""

import asyncio
from typing import Any

import pytest
from rasa_sdk.executor import CollectingDispatcher

from tests.bank.acting import READY, Entities, check, run, said, tracker
from tests.bank.conftest import Load


def test_a_confirmed_transfer_moves_money_and_forgets_the_form(load: Load, bank: Any) -> None:
    text, slots = run(load("transfer_actions").ActionTransferMoney(), tracker("yes", slots=READY))
    assert "€50.00 is on its way to Anna Schmidt" in text
    assert bank.account("alex", "current").cents == 243_187 - 5_000
    assert slots["recipient"] is None
    assert slots["transfer_amount"] is None


def test_a_transfer_that_is_run_twice_for_one_message_moves_money_once(
    load: Load, bank: Any
) -> None:
    for _ in range(2):
        run(load("transfer_actions").ActionTransferMoney(), tracker("yes", slots=READY))
    assert bank.account("alex", "current").cents == 243_187 - 5_000


@pytest.mark.parametrize("answer", [False, None])
def test_without_a_yes_nothing_moves(load: Load, bank: Any, answer: bool | None) -> None:
    slots = {**READY, "transfer_confirmed": answer}
    text, _ = run(load("transfer_actions").ActionTransferMoney(), tracker("no", slots=slots))
    assert text == "utter_transfer_dropped"
    assert bank.account("alex", "current").cents == 243_187


def test_a_refused_transfer_says_why(load: Load, bank: Any) -> None:
    slots = {**READY, "transfer_amount": "€9,999.00"}
    text, _ = run(load("transfer_actions").ActionTransferMoney(), tracker("yes", slots=slots))
    assert "does not hold that much" in text
    assert "Nothing was sent" in text


@pytest.mark.parametrize(
    ("value", "entities", "recipient"),
    [
        ("mum", [said("payee", "mum")], "Helen Morgan"),
        ("Carla Rossi", [said("payee", "Carla Rossi")], "Carla Rossi"),
        ("my savings account", [], "savings"),
        ("savings", [said("account", "savings", "to")], "savings"),
        ("to Anna please", [said("payee", "Anna")], "Anna Schmidt"),
        ("DE89370400440532013000", [], "DE89 3704 0044 0532 0130 00"),
        ("12345678", [], "12345678"),
        ("", [], None),
        ("50 euros", [], None),
        ("x" * 500, [], None),
        ("a@example.com", [], None),
    ],
)
def test_a_recipient_is_understood(
    load: Load, bank: Any, value: str, entities: Entities, recipient: str | None
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    slots = check(form.validate_recipient, value, tracker(value, entities))[1]
    assert slots["recipient"] == recipient


def test_a_name_with_its_iban_needs_no_further_question(load: Load, bank: Any) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    number = "DE89 3704 0044 0532 0130 00"
    entities = [said("payee", "Carla"), said("account_number", number)]
    state = tracker(f"50 to Carla, {number}", entities)
    assert check(form.validate_recipient, "Carla", state)[1] == {
        "recipient": "Carla",
        "recipient_iban": number,
    }


@pytest.mark.parametrize(
    ("recipient", "asks"),
    [("Carla Rossi", True), ("Anna Schmidt", False), ("savings", False), (None, False)],
)
def test_only_a_new_payee_needs_an_account_number(
    load: Load, bank: Any, recipient: str | None, asks: bool
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    slots = ["recipient", "transfer_amount", "from_account", "transfer_confirmed"]
    state = tracker(slots={"recipient": recipient})
    required = asyncio.run(form.required_slots(slots, CollectingDispatcher(), state, {}))
    assert ("recipient_iban" in required) is asks


@pytest.mark.parametrize(
    ("value", "entities", "amount"),
    [
        ("50", [], "€50.00"),
        ("two hundred", [], "€200.00"),
        ("$40", [], None),
        ("40", [said("amount", "40"), said("currency", "USD")], None),
        ("40", [said("amount", "40"), said("currency", "EUR")], "€40.00"),
        ("0", [], None),
        ("-5", [], None),
        ("1 million", [], None),
        ("lots", [], None),
    ],
)
def test_an_amount_is_checked(
    load: Load, bank: Any, value: str, entities: Entities, amount: str | None
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    text, slots = check(form.validate_transfer_amount, value, tracker(value, entities))
    assert slots["transfer_amount"] == amount
    assert bool(text) is (amount is None)


@pytest.mark.parametrize(
    ("text", "first", "second", "amount"),
    [
        ("no, 50 not 500", "50", "500", "€50.00"),
        ("make it 40 instead of 90", "40", "90", "€40.00"),
        ("not 500 but 50", "500", "50", "€50.00"),
    ],
)
def test_of_two_amounts_the_one_that_is_not_denied_counts(
    load: Load, bank: Any, text: str, first: str, second: str, amount: str
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    starts = (text.index(first), text.rindex(second))
    entities = [
        {**said("amount", value), "start": start}
        for value, start in zip((first, second), starts, strict=True)
    ]
    state = tracker(text, entities)
    slots = check(form.validate_transfer_amount, [first, second], state)[1]
    assert slots["transfer_amount"] == amount


@pytest.mark.parametrize(
    ("value", "account"),
    [("savings", "savings"), ("my checking account", "current"), ("joint", None), ("moon", None)],
)
def test_the_paying_account_is_checked(
    load: Load, bank: Any, value: str, account: str | None
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    state = tracker(value, slots={"recipient": "joint"})
    assert check(form.validate_from_account, value, state)[1]["from_account"] == account


def test_an_account_with_too_little_is_not_taken(load: Load, bank: Any) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    state = tracker("joint", slots={"transfer_amount": "€2,000.00"})
    text, slots = check(form.validate_from_account, "joint", state)
    assert "holds €1,164.30" in text
    assert slots == {"from_account": None}


def test_a_yes_without_the_money_asks_for_another_account(load: Load, bank: Any) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    slots = {**READY, "from_account": "joint", "transfer_amount": "€2,000.00"}
    state = tracker("yes", slots=slots, intent=("affirm", 1.0))
    text, changed = check(form.validate_transfer_confirmed, True, state)
    assert "another account" in text
    assert changed == {"transfer_confirmed": None, "from_account": None}


def test_a_no_that_corrects_the_amount_asks_again(load: Load, bank: Any) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    state = tracker("no, make it 60", [said("amount", "60")], slots=READY)
    assert check(form.validate_transfer_confirmed, False, state)[1] == {"transfer_confirmed": None}


def test_the_summary_reads_the_transfer_back(load: Load, bank: Any) -> None:
    text, _ = run(load("transfer_actions").ActionAskTransferConfirmed(), tracker(slots=READY))
    assert text == "€50.00 from your current account to Anna Schmidt. Shall I send it?"


@pytest.mark.parametrize(
    ("text", "entities", "recipient"),
    [
        ("from joint", [said("account", "joint", "from")], None),
        ("50 euros", [said("amount", "50")], None),
        ("to joint", [said("account", "joint", "to")], "joint"),
        ("joint", [said("account", "joint")], "joint"),
        ("50 to Anna", [said("amount", "50"), said("payee", "Anna")], "Anna Schmidt"),
    ],
)
def test_who_pays_and_how_much_is_not_who_is_paid(
    load: Load, bank: Any, text: str, entities: Entities, recipient: str | None
) -> None:
    form = load("transfer_actions").ValidateTransferForm()
    words, slots = check(form.validate_recipient, text, tracker(text, entities))
    assert (words, slots["recipient"]) == ("", recipient)
