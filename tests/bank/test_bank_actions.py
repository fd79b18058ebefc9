"""The bank assistant's actions, run as the SDK runs them, on trackers made by hand."""

import asyncio
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from tests.bank.conftest import Load

Entities = list[dict[str, Any]]


def tracker(
    text: str = "",
    entities: Entities | None = None,
    *,
    slots: dict[str, Any] | None = None,
    form: str | None = None,
    message_id: str = "m1",
    events: list[dict[str, Any]] | None = None,
    intent: tuple[str, float] | None = None,
) -> Tracker:
    message: dict[str, Any] = {"text": text, "entities": entities or [], "message_id": message_id}
    if intent:
        message["intent"] = {"name": intent[0], "confidence": intent[1]}
    return Tracker(
        sender_id="alex",
        slots={"offer": "none", **(slots or {})},
        latest_message=message,
        events=events or [],
        paused=False,
        followup_action=None,
        active_loop={"name": form} if form else {},
        latest_action_name="action_listen",
    )


def said(label: str, value: str, role: str | None = None) -> dict[str, Any]:
    return {"entity": label, "value": value, "role": role}


def run(action: Any, state: Tracker) -> tuple[str, dict[str, Any]]:
    """What the customer reads (texts and response names) and the slots that were set."""
    dispatcher = CollectingDispatcher()
    events = action.run(dispatcher, state, {})
    if asyncio.iscoroutine(events):
        events = asyncio.run(events)
    texts = [message["text"] or message["response"] for message in dispatcher.messages]
    return "\n".join(texts), {event["name"]: event["value"] for event in events or []}


def check(method: Any, value: Any, state: Tracker) -> tuple[str, dict[str, Any]]:
    """The same for one answer that a form validates."""
    dispatcher = CollectingDispatcher()
    slots = method(value, dispatcher, state, {})
    texts = [message["text"] or message["response"] for message in dispatcher.messages]
    return "\n".join(texts), slots


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


READY = {
    "recipient": "Anna Schmidt",
    "transfer_amount": "€50.00",
    "from_account": "current",
    "transfer_confirmed": True,
}


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


def test_a_no_that_says_what_is_wrong_changes_the_reason(load: Load, bank: Any) -> None:
    form = load("dispute_actions").ValidateDisputeForm()
    state = tracker("no, it was charged twice", slots={"dispute_reason": "not received"})
    assert check(form.validate_dispute_confirmed, False, state)[1] == {
        "dispute_confirmed": None,
        "dispute_reason": "charged twice",
    }


def test_a_message_that_was_forgotten_says_nothing_more(load: Load, bank: Any) -> None:
    form = load("card_actions").ValidateBlockCardForm()
    events = [{"event": "user", "text": "I lost my card"}, {"event": "user", "text": "blah"}]
    state = tracker("I lost my card", slots={"requested_slot": "block_mode"}, events=events)
    assert form.extract_block_mode(CollectingDispatcher(), state, {}) == {}


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
    ("text", "asked", "reason"),
    [
        ("the parcel never came", "dispute_reason", "not received"),
        ("they were rude to me", "dispute_reason", "other: they were rude to me"),
        ("last friday", "dispute_reason", None),
        ("how long does that take?", "dispute_reason", None),
        ("I was charged twice", "dispute_confirmed", "charged twice"),
        ("hold on a second", "dispute_confirmed", "not received"),
    ],
)
def test_a_dispute_has_a_reason_and_a_question_is_none(
    load: Load, bank: Any, text: str, asked: str, reason: str | None
) -> None:
    form = load("dispute_actions").ValidateDisputeForm()
    held = "not received" if asked == "dispute_confirmed" else None
    before = [{"event": "slot", "name": "dispute_reason", "value": held}] if held else []
    state = tracker(
        text,
        slots={"requested_slot": asked},
        events=[*before, {"event": "user", "text": text}],
        intent=("inform", 0.9) if text == "last friday" else None,
    )
    assert check(form.validate_dispute_reason, text, state)[1] == {"dispute_reason": reason}


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


@pytest.mark.parametrize(
    ("value", "merchant", "amount"),
    [
        ("Booking.com", "Booking.com", "€89.90"),
        ("Lidl", "Lidl", None),
        ("Unknown Shop", "Unknown Shop", None),
        ("", None, None),
        ("x" * 200, None, None),
    ],
)
def test_a_disputed_payment_is_looked_up(
    load: Load, bank: Any, value: str, merchant: str | None, amount: str | None
) -> None:
    form = load("dispute_actions").ValidateDisputeForm()
    slots = check(form.validate_dispute_merchant, value, tracker(value))[1]
    assert slots["dispute_merchant"] == merchant
    assert slots.get("dispute_amount") == amount


@pytest.mark.parametrize(("value", "day"), [("64.90", "22 Nov 2026"), ("1.00", None)])
def test_the_amount_of_a_dispute_tells_its_day(
    load: Load, bank: Any, value: str, day: str | None
) -> None:
    form = load("dispute_actions").ValidateDisputeForm()
    state = tracker(value, slots={"dispute_merchant": "Amazon"})
    slots = check(form.validate_dispute_amount, value, state)[1]
    assert slots["dispute_amount"] == f"€{value}"
    assert slots.get("dispute_date") == day


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("yesterday", "22 Nov 2026"),
        ("tomorrow", None),
        ("5 years ago", None),
        ("whenever", None),
    ],
)
def test_the_day_of_a_dispute_is_checked(
    load: Load, bank: Any, value: str, day: str | None
) -> None:
    form = load("dispute_actions").ValidateDisputeForm()
    text, slots = check(form.validate_dispute_date, value, tracker(value))
    assert slots["dispute_date"] == day
    assert bool(text) is (day is None)


@pytest.mark.parametrize(
    ("value", "reason"),
    [("I was charged twice", "charged twice"), ("it smells", "other: it smells"), ("?", None)],
)
def test_the_reason_of_a_dispute_is_kept(
    load: Load, bank: Any, value: str, reason: str | None
) -> None:
    form = load("dispute_actions").ValidateDisputeForm()
    slots = check(form.validate_dispute_reason, value, tracker(value))[1]
    assert slots["dispute_reason"] == reason


CASE = {
    "dispute_merchant": "Steam",
    "dispute_amount": "€29.99",
    "dispute_date": "2 Oct 2026",
    "dispute_reason": "not mine",
    "dispute_confirmed": True,
}


@pytest.mark.parametrize(
    ("changes", "words", "offer"),
    [
        ({}, "next working day", "block_card"),
        ({"dispute_reason": "charged twice"}, "within 10 working days", "none"),
        ({"dispute_reason": "charged twice", "dispute_amount": "€9.00"}, "45 days", "none"),
        ({"dispute_confirmed": False}, "utter_dispute_dropped", "none"),
    ],
)
def test_a_dispute_is_filed(
    load: Load, bank: Any, changes: dict[str, Any], words: str, offer: str
) -> None:
    state = tracker("yes", slots={**CASE, **changes})
    text, slots = run(load("dispute_actions").ActionFileDispute(), state)
    assert words in text
    assert slots["offer"] == offer
    assert len(bank.cases("alex", "dispute")) == (0 if "dropped" in words else 1)


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
