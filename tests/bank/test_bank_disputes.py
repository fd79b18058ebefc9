"""The bank's disputed payments, run as the SDK runs them."""

from typing import Any

import pytest

from tests.bank.acting import check, run, tracker
from tests.bank.conftest import Load


def test_a_no_that_says_what_is_wrong_changes_the_reason(load: Load, bank: Any) -> None:
    form = load("dispute_actions").ValidateDisputeForm()
    state = tracker("no, it was charged twice", slots={"dispute_reason": "not received"})
    assert check(form.validate_dispute_confirmed, False, state)[1] == {
        "dispute_confirmed": None,
        "dispute_reason": "charged twice",
    }


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
