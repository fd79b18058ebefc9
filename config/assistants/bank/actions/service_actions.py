"""Service around the accounts: rates, branches, people, complaints, leaving a form."""

from datetime import datetime

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet

from actions import card_actions, dispute_actions, transfer_actions
from actions.money import format_cents, parse_sum
from actions.names import find_currency
from actions.session import (
    NO_OFFER,
    Dispatcher,
    Domain,
    Events,
    customer_of,
    entity,
    message_key,
    open_ledger,
    text_of,
)

# Demo rates: units of the currency for one euro.
RATES = {
    "USD": 1.085,
    "GBP": 0.845,
    "CHF": 0.942,
    "JPY": 162.4,
    "SEK": 11.32,
    "NOK": 11.68,
    "PLN": 4.28,
    "INR": 91.15,
    "CNY": 7.83,
    "AUD": 1.652,
    "CAD": 1.487,
}
_SHOWN = ("USD", "GBP", "CHF", "JPY")
_BRANCHES = {
    "harbour": ("Harbour Square", "1 Harbour Square", True),
    "mill": ("Mill Street", "24 Mill Street", True),
    "northgate": ("Northgate", "3 Northgate", True),
    "station": ("Station Road", "61 Station Road", True),
    "elmfield": ("Elmfield", "12 Elmfield Park", True),
    "castle": ("Castle Quay", "7 Castle Quay", True),
}
_CHAT_HOURS = (8, 20)
_FRIDAY = 4


class ActionExchangeRate(Action):
    """Says a rate or converts a sum."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_exchange_rate"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Answer from the table of demo rates."""
        codes = _codes(tracker)
        amount = parse_sum(entity(tracker, "amount") or "")
        unknown = [code for code in codes if code != "EUR" and code not in RATES]
        if unknown:
            dispatcher.utter_message(f"I have no rate for {unknown[0]}.")
        elif amount is None:
            dispatcher.utter_message(_rates(codes))
        else:
            dispatcher.utter_message(_converted(amount.cents, codes))
        return []


class ActionFindBranch(Action):
    """Names the branch that the customer means, or where to find the nearest one."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_find_branch"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Answer from the list of branches."""
        place = (entity(tracker, "location") or "").lower()
        branch = next((b for sign, b in _BRANCHES.items() if sign in place), None)
        if branch is None:
            dispatcher.utter_message(response="utter_find_branch")
            return []
        name, address, _ = branch
        dispatcher.utter_message(
            f"Our {name} branch is at {address}, with a cash machine outside that works day and "
            "night. Open Mon-Fri 09:00-16:30, Thu to 18:30, Sat 09:30-13:00."
        )
        return []


class ActionCheckAgents(Action):
    """Notes whether a colleague can take over the chat at this hour."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_check_agents"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Set the slot that the response depends on."""
        now = datetime.now()
        open_now = now.weekday() <= _FRIDAY and _CHAT_HOURS[0] <= now.hour < _CHAT_HOURS[1]
        return [SlotSet("agents_available", open_now), SlotSet("offer", NO_OFFER)]


class ActionFileComplaint(Action):
    """Opens a complaint after a yes."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_file_complaint"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Enter the complaint in the ledger, with the words that led to it."""
        details = _complaint(tracker) or "no details given"
        reference = open_ledger().open_case(
            customer_of(tracker), "complaint", details, key=message_key(tracker)
        )
        dispatcher.utter_message(
            f"Your complaint is on record under {reference}. You get an answer within "
            "15 working days, by e-mail."
        )
        return [SlotSet("offer", NO_OFFER), SlotSet("complaint_reference", reference)]


class ActionBookAppointment(Action):
    """Takes an appointment with an adviser."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_book_appointment"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Enter the wish in the ledger."""
        reference = open_ledger().open_case(
            customer_of(tracker), "appointment", "adviser", key=message_key(tracker)
        )
        dispatcher.utter_message(
            f"Noted under {reference}. An adviser calls you on the next working day to agree a "
            "time, by phone or in a branch."
        )
        return [SlotSet("offer", NO_OFFER)]


class ActionCancelForm(Action):
    """Forgets what a form had gathered."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_cancel_form"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Empty the slots of all forms."""
        dispatcher.utter_message(response="utter_cancelled")
        slots = (*transfer_actions.SLOTS, *card_actions.SLOTS, *dispute_actions.SLOTS)
        return [*(SlotSet(slot, None) for slot in slots), SlotSet("offer", NO_OFFER)]


class ActionDropOffer(Action):
    """Lets go of an offer that was dealt with."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_drop_offer"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Reset the slot."""
        return [SlotSet("offer", NO_OFFER)]


def _codes(tracker: Tracker) -> list[str]:
    """The currencies of the message in their order, signs in a sum included."""
    named = [str(v) for v in tracker.get_latest_entity_values("currency")]
    codes = [find_currency(name) or name.upper() for name in named]
    amount = parse_sum(entity(tracker, "amount") or "")
    if amount is not None and amount.currency and amount.currency not in codes:
        codes.insert(0, amount.currency)
    if not codes:
        found = find_currency(text_of(tracker))
        codes = [found] if found else []
    return codes


def _rates(codes: list[str]) -> str:
    wanted = [code for code in codes if code != "EUR"] or list(_SHOWN)
    lines = ", ".join(f"{RATES[code]:g} {code}" for code in wanted)
    return f"Today one euro buys {lines}. (Demo rates; a card payment adds 1.75 %.)"


def _converted(cents: int, codes: list[str]) -> str:
    """From the first currency to the second; the euro stands in for what was not said."""
    source = codes[0] if codes else "EUR"
    others = [code for code in codes[1:] if code != source]
    target = others[0] if others else ("EUR" if source != "EUR" else "USD")
    euros = cents if source == "EUR" else round(cents / RATES[source])
    result = euros if target == "EUR" else round(euros * RATES[target])
    return f"{_written(cents, source)} is about {_written(result, target)} today. (Demo rates.)"


def _written(cents: int, code: str) -> str:
    return format_cents(cents) if code == "EUR" else f"{cents // 100:,}.{cents % 100:02d} {code}"


def _complaint(tracker: Tracker) -> str:
    """The customer's latest message that was a complaint."""
    for event in reversed(tracker.events):
        data = event.get("parse_data") or {}
        if event.get("event") == "user" and data.get("intent", {}).get("name") == "complaint":
            return str(event.get("text") or "")[:500]
    return ""
