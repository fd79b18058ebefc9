"""Everything about cards: the block form, unfreezing, activation, orders, regions."""

import re
from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import SlotSet

from actions.ledger import Ledger
from actions.names import find_block_mode, find_card, find_card_kind, said_block_mode
from actions.records import Card, CardStateError
from actions.session import (
    NO_OFFER,
    Dispatcher,
    Domain,
    Events,
    customer_of,
    entity,
    is_clear_yes,
    is_fresh,
    is_question,
    message_key,
    open_ledger,
    text_of,
)

SLOTS = ("card", "block_mode", "block_confirmed")
_STATES = {"freeze": "frozen", "block": "blocked"}
_UNDO = (
    r"(?:(?:un|de)-?\s?(?:fr[eo]e?z\w*|bloc?k(?:ed)?|lock(?:ed)?)|thaw|lift|remove|release\w*"
    r"|re-?activate|re-?open|open|enable|restore|resume|undo|cancel|take|turn|switch"
    r"|work(?:s|ing)? again|use\b.*\bagain)"
)
_REQUEST = re.compile(rf"\b{_UNDO}\b", re.IGNORECASE)
_REFUSAL = re.compile(
    rf"(?:n['\u2019]t|\b(?:not|never|dont|without|no))\s+(?:\w+\s+){{0,3}}{_UNDO}", re.IGNORECASE
)
_QUESTION = re.compile(
    r"^\W*(?:(?:so|and|ok|okay|hey|hi|now|but|wait|please|tell me|why)\W+)*"
    r"(?:is(?! (?:it )?possible)|isn|are|aren|was|were|has|have|did|does|do|will|when|who|what"
    r"|how|why|can i|could i|may i|am i)\b|\b(?:if|whether)\b",
    re.IGNORECASE,
)


class ValidateBlockCardForm(FormValidationAction):
    """Finds the card that is meant and how far the customer wants to go."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "validate_block_card_form"

    def extract_block_mode(
        self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """What a message says of itself ("freeze my card"), and any answer to the question."""
        text = text_of(tracker)
        if text.startswith("/") or is_question(tracker) or not is_fresh(tracker):
            return {}
        asked = tracker.get_slot("requested_slot") == "block_mode"
        mode = find_block_mode(text) if asked else said_block_mode(text)
        return {"block_mode": mode} if mode else {}

    def validate_card(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A card of the customer's that is not blocked already."""
        cards = open_ledger().cards(customer_of(tracker))
        said = entity(tracker, "card_digits") or str(value or "")
        card = find_card(said, cards)
        if card is None:
            have = ", ".join(card.label for card in cards)
            dispatcher.utter_message(f"I do not find that card. You have: {have}.")
            return {"card": None}
        if card.state == "blocked":
            dispatcher.utter_message(f"Your {card.label} is blocked already.")
            return {"card": None}
        return {"card": card.label}

    def validate_block_mode(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """`freeze` or `block`."""
        mode = find_block_mode(str(value or ""))
        if mode is None:
            dispatcher.utter_message(response="utter_wrong_block_mode")
        return {"block_mode": mode}

    def validate_block_confirmed(
        self, value: Any, dispatcher: Dispatcher, tracker: Tracker, domain: Domain
    ) -> dict[str, Any]:
        """A clear yes or a no; anything between is asked again."""
        unclear = not is_clear_yes(tracker) if value is True else is_question(tracker)
        return {"block_confirmed": None if unclear else value}


class ActionBlockCard(Action):
    """Freezes or blocks the card that was confirmed."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_block_card"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Change the card's state in the ledger."""
        if tracker.get_slot("block_confirmed") is not True:
            dispatcher.utter_message(response="utter_block_dropped")
            return _cleared()
        ledger, customer = open_ledger(), customer_of(tracker)
        card = find_card(tracker.get_slot("card"), ledger.cards(customer))
        mode = tracker.get_slot("block_mode")
        if card is None or mode not in _STATES:
            dispatcher.utter_message(response="utter_block_dropped")
            return _cleared()
        try:
            card = ledger.set_card(customer, card.digits, _STATES[mode])
        except CardStateError as error:
            dispatcher.utter_message(str(error))
            return _cleared()
        dispatcher.utter_message(response="utter_block_done")
        if mode == "block":
            dispatcher.utter_message(_replacement(ledger, tracker, card))
        return _cleared()


class ActionUnblockCard(Action):
    """Makes a frozen card work again if that is asked for; else says which cards are frozen."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_unblock_card"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Change the card's state in the ledger."""
        ledger, customer = open_ledger(), customer_of(tracker)
        cards = ledger.cards(customer)
        named = find_card(_said_card(tracker), cards)
        frozen = [card for card in cards if card.state == "frozen"]
        card = named or (frozen[0] if len(frozen) == 1 else None)
        if frozen and not _asks_to_undo(text_of(tracker)):
            dispatcher.utter_message(_told_states([named] if named else frozen))
        elif card is None and frozen:
            names = " and ".join(card.label for card in frozen)
            dispatcher.utter_message(f"Two cards are frozen: {names}. Which one, please?")
        elif card is not None and card.state == "frozen":
            ledger.set_card(customer, card.digits, "active")
            dispatcher.utter_message(f"Your {card.label} works again from now on.")
        elif card is not None and card.state == "blocked":
            dispatcher.utter_message(
                f"Your {card.label} was blocked for good and stays that way. "
                "Its replacement is on its way."
            )
        else:
            dispatcher.utter_message(response="utter_unblock_pin")
        return []


class ActionActivateCard(Action):
    """Switches a new card on."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_activate_card"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Change the card's state in the ledger, if a card waits for it."""
        ledger, customer = open_ledger(), customer_of(tracker)
        waiting = [card for card in ledger.cards(customer) if card.state == "ordered"]
        card = find_card(_said_card(tracker), waiting) or (waiting[0] if waiting else None)
        if card is None:
            dispatcher.utter_message(response="utter_activate_card")
            return []
        ledger.set_card(customer, card.digits, "active")
        dispatcher.utter_message(f"Your new {card.label} is active. You see its PIN in the app.")
        return []


class ActionOrderCard(Action):
    """Orders a card after a yes."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_order_card"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Enter the order in the ledger."""
        kind = find_card_kind(tracker.get_slot("wanted_card")) or "debit"
        card = open_ledger().order_card(customer_of(tracker), kind, key=message_key(tracker))
        dispatcher.utter_message(
            f"Ordered: a new {card.label}. It comes by post within 5 working days; "
            "its PIN is in the app as soon as you activate it."
        )
        return [SlotSet("offer", NO_OFFER), SlotSet("wanted_card", None)]


class ActionEnableRegion(Action):
    """Switches the rest of the world on for the customer's cards."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_enable_region"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Write the order down and confirm it."""
        place = tracker.get_slot("destination")
        details = place or "outside Europe"
        open_ledger().open_case(customer_of(tracker), "region", details, key=message_key(tracker))
        where = f"for {place}" if place else "outside Europe"
        dispatcher.utter_message(
            f"Done. Your cards now work {where}. You can switch it off again "
            "in the app under Cards > Controls. Have a good trip!"
        )
        return [SlotSet("offer", NO_OFFER), SlotSet("destination", None)]


def _asks_to_undo(text: str) -> bool:
    """Whether some clause asks for an unfreezing, and none asks against it."""
    if text.startswith("/"):
        return True
    clauses = re.split(r"[.!?,;\n]+", text)
    if any(_REFUSAL.search(clause) for clause in clauses):
        return False
    return any(_REQUEST.search(c) and not _QUESTION.search(c) for c in clauses)


def _told_states(cards: list[Card]) -> str:
    lines = [f"Your {card.label} is {card.state}." for card in cards]
    if any(card.state == "frozen" for card in cards):
        lines.append('Write "unfreeze my card" when you want to use it again.')
    return " ".join(lines)


def _said_card(tracker: Tracker) -> str:
    """What names a card in the latest message."""
    said = entity(tracker, "card_digits") or entity(tracker, "card_type")
    return said or text_of(tracker)


def _replacement(ledger: Ledger, tracker: Tracker, card: Card) -> str:
    if card.kind == "virtual":
        return "You can make a new virtual card at once in the app, free of charge."
    new = ledger.order_card(customer_of(tracker), card.kind, key=message_key(tracker))
    return (
        f"A new {new.label} is on its way and arrives within 5 working days: "
        "free if the card was stolen, €10 if it was lost."
    )


def _cleared() -> Events:
    return [*(SlotSet(slot, None) for slot in SLOTS), SlotSet("offer", NO_OFFER)]
