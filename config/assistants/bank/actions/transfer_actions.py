"""The transfer form: its questions' checks, its summary, and the transfer itself."""

import re
from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import SlotSet

from actions.money import Sum, format_cents, parse_sum
from actions.names import find_account, find_account_number, find_payee, is_wrong_iban
from actions.records import InsufficientFundsError, LedgerError
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

_RELATIVE = re.compile(
    r"\d\s*(?:€|euros?|eur|quid|bucks)?\s*(?:more|extra|less|fewer|on top|additional)\b"
    r"|\b(?:plus|minus|add|extra|additional)\s*[€$£]?\s*\d",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"(?:\bnot|n't|instead of|rather than)\s*[€$£]?\s*$", re.IGNORECASE)
SLOTS = ("recipient", "recipient_iban", "transfer_amount", "from_account", "transfer_confirmed")
_MAX_NAME = 70


class ValidateTransferForm(FormValidationAction):
    """Checks each answer against the ledger while the form is open."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "validate_transfer_form"

    async def required_slots(
        self,
        domain_slots: list[str],
        dispatcher: Dispatcher,
        tracker: Tracker,
        domain: Domain,
    ) -> list[str]:
        """An account number is asked for only if the payee is new."""
        if not _is_new(tracker):
            return domain_slots
        place = domain_slots.index("recipient") + 1
        return [*domain_slots[:place], "recipient_iban", *domain_slots[place:]]

    def validate_recipient(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """An own account, a known payee, an account number or a new name."""
        if value == text_of(tracker) and _is_other_detail(tracker):
            return {"recipient": None}
        ledger, customer = open_ledger(), customer_of(tracker)
        said = _said_recipient(value, tracker)
        number = find_account_number(entity(tracker, "account_number") or said)
        own = find_account(entity(tracker, "account", "to") or said)
        known = find_payee(said, ledger.payees(customer))
        if known:
            return {"recipient": known.name, "recipient_iban": None}
        if own and not entity(tracker, "payee"):
            return {"recipient": own, "recipient_iban": None}
        if is_wrong_iban(said) or is_wrong_iban(text_of(tracker)):
            dispatcher.utter_message(response="utter_wrong_iban")
            named = None if is_wrong_iban(said) else said
            return {"recipient": named or None, "recipient_iban": None}
        if number and said == str(value) and not entity(tracker, "payee"):
            return {"recipient": number, "recipient_iban": None}
        # The wish to send money, said once more, names nobody.
        wishes = is_intent(tracker, "transfer_money") and value == text_of(tracker)
        named = entity(tracker, "payee")
        unclear = not said or len(said) > _MAX_NAME or parse_sum(said) or "@" in said
        if unclear or (wishes and named is None):
            dispatcher.utter_message(response="utter_wrong_recipient")
            return {"recipient": None}
        return {"recipient": said, "recipient_iban": number or _kept_iban(tracker, said)}

    def validate_recipient_iban(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """An IBAN with right check digits, or a Tarnwick account number."""
        number = find_account_number(str(value or ""))
        payee = entity(tracker, "payee")
        if number is None and payee and not is_wrong_iban(text_of(tracker)):
            return self.validate_recipient(payee, dispatcher, tracker, domain)
        if number is None and value:
            dispatcher.utter_message(response="utter_wrong_iban")
        return {"recipient_iban": number}

    def validate_transfer_amount(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A sum in euros that some account can pay."""
        found = _said_sum(value, tracker)
        if found is None or found.cents <= 0:
            dispatcher.utter_message(response="utter_wrong_amount")
            return {"transfer_amount": None}
        if found.currency not in (None, "EUR"):
            dispatcher.utter_message(response="utter_wrong_currency")
            return {"transfer_amount": None}
        accounts = open_ledger().accounts(customer_of(tracker))
        if found.cents > max(account.cents for account in accounts):
            dispatcher.utter_message(
                f"None of your accounts holds {format_cents(found.cents)}. "
                "Please choose a smaller amount."
            )
            return {"transfer_amount": None}
        return {"transfer_amount": format_cents(found.cents)}

    def validate_from_account(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """One of the customer's accounts, with enough in it, that is not to receive the money."""
        account = find_account(entity(tracker, "account", "from") or str(value or ""))
        if account is None:
            dispatcher.utter_message(response="utter_wrong_account")
        elif account == tracker.get_slot("recipient"):
            dispatcher.utter_message(f"The money is to go to {account}, so it cannot come from it.")
            account = None
        elif _lacks(tracker, account):
            have = format_cents(open_ledger().account(customer_of(tracker), account).cents)
            dispatcher.utter_message(f"Your {account} account holds {have}, which is too little.")
            account = None
        return {"from_account": account}

    def validate_transfer_confirmed(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A clear yes is checked against the ledger; a no that corrects something asks again."""
        if value is not True:
            corrects = any(entity(tracker, label) for label in ("amount", "account", "payee"))
            if corrects or is_question(tracker):
                return {"transfer_confirmed": None}
            if any(char.isdigit() for char in text_of(tracker)):
                dispatcher.utter_message(response="utter_wrong_amount")
                return {"transfer_confirmed": None}
            return {"transfer_confirmed": value}
        if not is_clear_yes(tracker):
            return {"transfer_confirmed": None}
        try:
            _check(tracker)
        except InsufficientFundsError as error:
            dispatcher.utter_message(f"{error} Let us use another account.")
            return {"transfer_confirmed": None, "from_account": None}
        except LedgerError as error:
            dispatcher.utter_message(f"{error} Choose another amount, or write stop.")
            return {"transfer_confirmed": None, "transfer_amount": None}
        return {"transfer_confirmed": True}


class ActionAskTransferConfirmed(Action):
    """Reads the transfer back before anything moves."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_ask_transfer_confirmed"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Ask for a yes or a no."""
        amount, source = tracker.get_slot("transfer_amount"), tracker.get_slot("from_account")
        dispatcher.utter_message(
            f"{amount} from your {source} account to {_described_recipient(tracker)}. "
            "Shall I send it?",
            buttons=[
                {"title": "Yes, send it", "payload": "/affirm"},
                {"title": "No", "payload": "/deny"},
            ],
        )
        return []


class ActionTransferMoney(Action):
    """Moves the money that was confirmed, once, and says what is left."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_transfer_money"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Make the transfer."""
        if tracker.get_slot("transfer_confirmed") is not True:
            dispatcher.utter_message(response="utter_transfer_dropped")
            return _cleared()
        try:
            receipt = open_ledger().transfer(
                customer_of(tracker),
                source=tracker.get_slot("from_account"),
                target=tracker.get_slot("recipient"),
                iban=tracker.get_slot("recipient_iban") or "",
                cents=_cents(tracker),
                key=message_key(tracker),
            )
        except LedgerError as error:
            dispatcher.utter_message(f"{error} Nothing was sent.")
            return _cleared()
        source = tracker.get_slot("from_account")
        dispatcher.utter_message(
            f"Done: {format_cents(receipt.cents)} is on its way to "
            f"{_described_recipient(tracker)} (reference {receipt.reference}). "
            f"Your {source} account now holds {format_cents(receipt.left)}."
        )
        return _cleared()


def _said_recipient(value: Any, tracker: Tracker) -> str:
    """What names the recipient: an entity of the message if there is one, else the value."""
    fresh = entity(tracker, "payee")
    if fresh and (value == fresh or value == text_of(tracker)):
        return fresh
    return str(value or "").strip(" .!?,")


def _is_other_detail(tracker: Tracker) -> bool:
    """Whether the message names the source or the sum ("from savings", "50") and nobody."""
    if any(entity(tracker, label) for label in ("payee", "account_number", "account")):
        return False
    other = entity(tracker, "account", "from") or entity(tracker, "amount")
    return other is not None and entity(tracker, "account", "to") is None


def _kept_iban(tracker: Tracker, recipient: str) -> str | None:
    """The account number that is known already, if it belongs to this recipient."""
    same = slot_before(tracker, "recipient") == recipient
    return tracker.get_slot("recipient_iban") if same else None


def _said_sum(value: Any, tracker: Tracker) -> Sum | None:
    """The sum with the currency that the message names beside it; of "50, not 500" the first.

    None where it is not exact: two sums, or one that is to be added to another.
    """
    value = _not_denied(value, tracker)
    if _RELATIVE.search(text_of(tracker)) or len(re.findall(r"\d[\d.,' ]*", str(value))) > 1:
        return None
    found = parse_sum(str(value or ""))
    code = entity(tracker, "currency")
    if found is None or found.currency or not code or entity(tracker, "amount") != str(value):
        return found
    return Sum(found.cents, code.upper())


def _not_denied(value: Any, tracker: Tracker) -> Any:
    """Of several amounts in one message that which no "not" or "instead of" stands before.

    None if that leaves different ones.
    """
    spans = [e for e in tracker.latest_message.get("entities") or () if e["entity"] == "amount"]
    if len(spans) < 2:
        return value
    text = text_of(tracker)
    kept = [e["value"] for e in spans if not _DENIAL.search(text[: e.get("start") or 0])]
    return kept[0] if len({parse_sum(str(amount)) for amount in kept}) == 1 else None


def _is_new(tracker: Tracker) -> bool:
    """Whether the recipient is a name that was never paid before."""
    recipient = tracker.get_slot("recipient")
    if not recipient or find_account_number(recipient) or find_account(recipient) == recipient:
        return False
    return find_payee(recipient, open_ledger().payees(customer_of(tracker))) is None


def _described_recipient(tracker: Tracker) -> str:
    recipient, iban = tracker.get_slot("recipient"), tracker.get_slot("recipient_iban")
    if find_account(recipient) == recipient:
        return f"your {recipient} account"
    return f"{recipient} ({iban})" if iban else str(recipient)


def _lacks(tracker: Tracker, account: str) -> bool:
    """Whether the account holds less than the sum that is known so far."""
    held: int = open_ledger().account(customer_of(tracker), account).cents
    return held < _cents(tracker)


def _cents(tracker: Tracker) -> int:
    found = parse_sum(tracker.get_slot("transfer_amount") or "")
    return found.cents if found else 0


def _check(tracker: Tracker) -> None:
    open_ledger().check_transfer(
        customer_of(tracker),
        source=tracker.get_slot("from_account"),
        target=tracker.get_slot("recipient"),
        cents=_cents(tracker),
    )


def _cleared() -> Events:
    return [*(SlotSet(slot, None) for slot in SLOTS), SlotSet("offer", NO_OFFER)]
