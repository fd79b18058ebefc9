"""The bank assistant's actions, run as the SDK runs them, on trackers made by hand."""

from typing import Any

import pytest

from tests.bank.acting import READY, Entities, check, run, said, tracker
from tests.bank.conftest import Load


def test_the_sdk_finds_every_action_of_the_domain(load: Load) -> None:
    from rasa_sdk.executor import ActionExecutor
    from ruamel.yaml import YAML

    from tests.bank.conftest import BANK

    executor = ActionExecutor()
    executor.register_package("actions")
    domain = YAML(typ="safe").load(BANK / "domain" / "forms.yml")
    # The base class of all form validations is registered, too, by the SDK itself.
    assert set(domain["actions"]) == set(executor.actions) - {"action_validate_slot_mappings"}


@pytest.mark.parametrize(
    ("entities", "words"),
    [
        ([], "Together: €11,846.17"),
        ([said("account", "savings")], "savings account holds €8,250.00"),
        ([said("account", "checking")], "current account holds €2,431.87"),
        ([said("card_type", "credit")], "owe €312.45"),
        ([said("card_type", "prepaid")], "no prepaid card"),
        ([said("account", "moon")], "Together"),
    ],
)
def test_a_balance_is_told(load: Load, bank: Any, entities: Entities, words: str) -> None:
    action = load("account_actions").ActionCheckBalance()
    assert words in run(action, tracker("balance", entities))[0]


@pytest.mark.parametrize(
    ("entities", "words"),
    [
        ([], "more, all of them in the app"),
        ([said("merchant", "Lidl"), said("date", "last month")], "with Lidl from 1 Oct 2026"),
        ([said("merchant", "Nowhere")], "no payments with Nowhere"),
        ([said("date", "yesterday")], "on 22 Nov 2026"),
        ([said("date", "1 October"), said("date", "31 October")], "from 1 Oct 2026 to 31 Oct"),
        ([said("account", "joint")], "IKEA"),
        ([said("card_type", "credit")], "credit card"),
    ],
)
def test_movements_are_listed(load: Load, bank: Any, entities: Entities, words: str) -> None:
    action = load("account_actions").ActionListTransactions()
    assert words in run(action, tracker("payments", entities))[0]


def test_since_a_day_reaches_to_today(load: Load, bank: Any) -> None:
    action = load("account_actions").ActionListTransactions()
    state = tracker("everything since 1 November", [said("date", "1 November")])
    assert "from 1 Nov 2026 to 23 Nov 2026" in run(action, state)[0]


@pytest.mark.parametrize(
    ("text", "entities", "words"),
    [
        ("where is my salary", [], "Northlight Studios"),
        ("did the money of Tom come", [said("payee", "Tom")], "Tom Becker"),
        ("my transfer is stuck", [], "pending"),
    ],
)
def test_a_missing_payment_is_looked_for(
    load: Load, bank: Any, text: str, entities: Entities, words: str
) -> None:
    action = load("account_actions").ActionPaymentStatus()
    assert words in run(action, tracker(text, entities))[0]


@pytest.mark.parametrize("name", ["ActionStandingOrders", "ActionDirectDebits"])
def test_regular_payments_are_shown(load: Load, bank: Any, name: str) -> None:
    assert "€" in run(getattr(load("account_actions"), name)(), tracker())[0]


@pytest.mark.parametrize(
    ("module", "form", "slot", "intent"),
    [
        ("dispute_actions", "ValidateDisputeForm", "dispute_merchant", "dispute_charge"),
        ("transfer_actions", "ValidateTransferForm", "recipient", "transfer_money"),
    ],
)
def test_a_wish_said_once_more_is_no_answer(
    load: Load, bank: Any, module: str, form: str, slot: str, intent: str
) -> None:
    method = getattr(getattr(load(module), form)(), f"validate_{slot}")
    state = tracker("I want to do that", intent=(intent, 0.9))
    assert check(method, "I want to do that", state)[1] == {slot: None}


@pytest.mark.parametrize(
    ("text", "entities", "words"),
    [
        ("rates", [], "one euro buys 1.085 USD"),
        ("rate of dollars", [said("currency", "USD")], "1.085 USD"),
        ("100 EUR in GBP", [said("amount", "100")], "€100.00 is about"),
        (
            "100 euros in pounds",
            [said("amount", "100"), said("currency", "EUR"), said("currency", "GBP")],
            "€100.00 is about 84.50 GBP",
        ),
        ("$40 in euros", [said("amount", "$40"), said("currency", "EUR")], "40.00 USD is about €"),
        ("rate of the lira", [said("currency", "lira")], "no rate for LIRA"),
    ],
)
def test_a_rate_is_told(load: Load, bank: Any, text: str, entities: Entities, words: str) -> None:
    action = load("service_actions").ActionExchangeRate()
    assert words in run(action, tracker(text, entities))[0]


@pytest.mark.parametrize(
    ("place", "words"), [("Northgate", "3 Northgate"), ("Atlantis", "utter_find_branch")]
)
def test_a_branch_is_found(load: Load, bank: Any, place: str, words: str) -> None:
    action = load("service_actions").ActionFindBranch()
    assert words in run(action, tracker(place, [said("location", place)]))[0]


def test_a_complaint_keeps_the_words_that_led_to_it(load: Load, bank: Any) -> None:
    event = {
        "event": "user",
        "text": "your app is awful",
        "parse_data": {"intent": {"name": "complaint"}},
    }
    text, slots = run(load("service_actions").ActionFileComplaint(), tracker("yes", events=[event]))
    assert slots["complaint_reference"] in text
    assert bank.cases("alex", "complaint") == [(slots["complaint_reference"], "your app is awful")]


def test_an_appointment_is_noted(load: Load, bank: Any) -> None:
    text, slots = run(load("service_actions").ActionBookAppointment(), tracker("yes"))
    assert bank.cases("alex", "appointment")[0][0] in text
    assert slots["offer"] == "none"


def test_leaving_a_form_empties_all_of_them(load: Load, bank: Any) -> None:
    text, slots = run(load("service_actions").ActionCancelForm(), tracker("stop", slots=READY))
    assert text == "utter_cancelled"
    assert {"recipient", "card", "dispute_merchant"} <= slots.keys()
    assert {value for name, value in slots.items() if name != "offer"} == {None}


def test_the_hour_decides_whether_a_colleague_is_there(load: Load, bank: Any) -> None:
    slots = run(load("service_actions").ActionCheckAgents(), tracker("human"))[1]
    assert slots["agents_available"] in (True, False)
