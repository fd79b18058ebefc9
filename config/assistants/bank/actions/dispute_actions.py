"""The dispute form: which payment, why, and the case that is opened."""

from datetime import date, timedelta
from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import SlotSet

from actions.dates import format_day, parse_day
from actions.money import format_cents, parse_sum
from actions.names import find_reason
from actions.records import Transaction
from actions.session import (
    NO_OFFER,
    Dispatcher,
    Domain,
    Events,
    customer_of,
    entity,
    is_clear_yes,
    is_intent,
    is_question,
    message_key,
    open_ledger,
    slot_before,
    text_of,
)

SLOTS = (
    "dispute_merchant",
    "dispute_amount",
    "dispute_date",
    "dispute_reason",
    "dispute_confirmed",
)
_LONGEST = timedelta(days=396)
_USUAL = timedelta(days=120)
_MAX_NAME = 60


class ValidateDisputeForm(FormValidationAction):
    """Checks each answer and fills in what the ledger knows of the payment."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "validate_dispute_form"

    def validate_dispute_merchant(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A shop; if it charged the customer once lately, amount and day are known, too."""
        named = entity(tracker, "merchant")
        merchant = (named or str(value or "")).strip(" .!?,")
        # The wish to dispute, said once more, is no shop.
        wishes = is_intent(tracker, "dispute_charge") and value == text_of(tracker)
        if not merchant or len(merchant) > _MAX_NAME or (wishes and named is None):
            dispatcher.utter_message(response="utter_wrong_merchant")
            return {"dispute_merchant": None}
        rows = [r for r in _charges(tracker, merchant) if _fits(r, tracker)]
        if len(rows) == 1:
            amount, day = format_cents(-rows[0].cents), format_day(rows[0].day)
            dispatcher.utter_message(f"I can see it: {rows[0].party}, {amount} on {day}.")
            known = {"dispute_amount": amount, "dispute_date": day}
            return {"dispute_merchant": rows[0].party, **known}
        if rows:
            lines = "\n".join(f"- {format_day(r.day)}  {format_cents(-r.cents)}" for r in rows[:5])
            dispatcher.utter_message(f"{rows[0].party} charged you several times:\n{lines}")
            return {"dispute_merchant": rows[0].party}
        return {"dispute_merchant": merchant}

    def validate_dispute_amount(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A sum above zero; if the shop took it once, the day is known, too."""
        found = parse_sum(str(value or ""))
        if found is None or found.cents <= 0:
            dispatcher.utter_message(response="utter_wrong_amount")
            return {"dispute_amount": None}
        if found.currency not in (None, "EUR"):
            return {"dispute_amount": str(value).strip()}
        merchant = tracker.get_slot("dispute_merchant")
        rows = (
            [r for r in _charges(tracker, merchant) if -r.cents == found.cents] if merchant else []
        )
        known = {"dispute_date": format_day(rows[0].day)} if len(rows) == 1 else {}
        return {"dispute_amount": format_cents(found.cents), **known}

    def validate_dispute_date(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A day in the past, and not too long ago."""
        today = open_ledger().today
        day = parse_day(str(value or ""), today)
        if day is None:
            dispatcher.utter_message(response="utter_wrong_date")
        elif day > today:
            dispatcher.utter_message("That day is still to come.")
        elif today - day > _LONGEST:
            dispatcher.utter_message(response="utter_dispute_too_late")
        else:
            return {"dispute_date": format_day(day)}
        return {"dispute_date": None}

    def validate_dispute_reason(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """One of the usual reasons, else what the customer wrote, unless that is a question.

        At the end only one of the usual reasons takes the place of what was said before.
        """
        text = str(value or "").strip()
        reason, held = find_reason(text), slot_before(tracker, "dispute_reason")
        if reason or (held and tracker.get_slot("requested_slot") == "dispute_confirmed"):
            return {"dispute_reason": reason or held}
        # A bare detail ("last Friday") is no reason, and neither is a question.
        if len(text) > 3 and not text.endswith("?") and not is_intent(tracker, "inform"):
            return {"dispute_reason": f"other: {text[:200]}"}
        if not text.endswith("?"):
            dispatcher.utter_message(response="utter_wrong_reason")
        return {"dispute_reason": None}

    def validate_dispute_confirmed(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A clear yes or a no; a no that says what is wrong, or anything between, is asked again."""
        reason = None if value is True else find_reason(text_of(tracker))
        if reason:
            return {"dispute_confirmed": None, "dispute_reason": reason}
        unclear = not is_clear_yes(tracker) if value is True else is_question(tracker)
        return {"dispute_confirmed": None if unclear else value}


class ActionFileDispute(Action):
    """Opens the case that was confirmed and says what happens next."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_file_dispute"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Enter the case in the ledger."""
        if tracker.get_slot("dispute_confirmed") is not True:
            dispatcher.utter_message(response="utter_dispute_dropped")
            return _cleared(NO_OFFER)
        merchant, reason = tracker.get_slot("dispute_merchant"), tracker.get_slot("dispute_reason")
        details = "; ".join(str(tracker.get_slot(slot)) for slot in SLOTS[:4])
        reference = open_ledger().open_case(
            customer_of(tracker), "dispute", details, key=message_key(tracker)
        )
        dispatcher.utter_message(
            f"Your dispute with {merchant} is filed under {reference}. {_outlook(tracker)}"
        )
        if reason != "not mine":
            return _cleared(NO_OFFER)
        dispatcher.utter_message(response="utter_offer_block_card")
        return _cleared("block_card")


def _charges(tracker: Tracker, merchant: str) -> list[Transaction]:
    """What the shop took lately."""
    ledger = open_ledger()
    first: date = ledger.today - _USUAL
    rows = ledger.transactions(customer_of(tracker), party=merchant, first=first)
    return [row for row in rows if row.cents < 0]


def _fits(row: Transaction, tracker: Tracker) -> bool:
    """Whether a charge has the amount and the day that the customer named, if any."""
    if text_of(tracker).startswith("/"):
        return True
    amount = parse_sum(str(tracker.get_slot("dispute_amount") or ""))
    day = parse_day(str(tracker.get_slot("dispute_date") or ""), open_ledger().today)
    return (amount is None or amount.cents == -row.cents) and (day is None or day == row.day)


def _outlook(tracker: Tracker) -> str:
    """When the money comes back, by the reason and the amount."""
    if tracker.get_slot("dispute_reason") == "not mine":
        return "We put the money back by the end of the next working day while we look into it."
    amount = parse_sum(tracker.get_slot("dispute_amount") or "")
    if amount is not None and amount.cents > 2_500:
        return "You get a provisional credit within 10 working days, the result within 45 days."
    return "You hear the result within 45 days."


def _cleared(offer: str) -> Events:
    return [*(SlotSet(slot, None) for slot in SLOTS), SlotSet("offer", offer)]
