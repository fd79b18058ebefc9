"""Actions that show: balances, movements, payments under way, regular payments."""

from datetime import date

from rasa_sdk import Action, Tracker

from actions import world
from actions.dates import Period, format_day, parse_period
from actions.ledger import Ledger
from actions.money import format_cents, parse_sum
from actions.names import find_account, find_card_kind, find_payee
from actions.records import Transaction
from actions.session import Dispatcher, Domain, Events, customer_of, entity, open_ledger, text_of

_SHOWN = 6


class ActionCheckBalance(Action):
    """Says what an account holds, what is owed on the credit card, or everything."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_check_balance"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Answer from the ledger."""
        ledger, customer = open_ledger(), customer_of(tracker)
        wanted = find_account(entity(tracker, "account"))
        kind = find_card_kind(entity(tracker, "card_type"))
        if wanted:
            cents = ledger.account(customer, wanted).cents
            dispatcher.utter_message(f"Your {wanted} account holds {format_cents(cents)}.")
        elif kind == "credit":
            dispatcher.utter_message(_credit_line(ledger, customer))
        elif kind == "prepaid":
            dispatcher.utter_message("You have no prepaid card with us.")
        else:
            dispatcher.utter_message(_overview(ledger, customer))
        return []


class ActionListTransactions(Action):
    """Shows movements, for one account, shop or period if the customer named it."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_list_transactions"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Answer from the ledger."""
        ledger = open_ledger()
        account = find_account(entity(tracker, "account"))
        if find_card_kind(entity(tracker, "card_type")) == "credit":
            account = "credit"
        merchant = entity(tracker, "merchant") or entity(tracker, "payee")
        period = _period(tracker, ledger.today)
        rows = ledger.transactions(
            customer_of(tracker),
            account=account,
            party=merchant,
            first=period.first if period else None,
            last=period.last if period else None,
        )
        where = _where(account, merchant, period)
        dispatcher.utter_message(_listing(rows, where) if rows else f"I see no payments{where}.")
        return []


class ActionPaymentStatus(Action):
    """Looks for the payment that the customer misses."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_payment_status"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Answer from the ledger."""
        ledger, customer = open_ledger(), customer_of(tracker)
        rows = _payments(ledger, tracker)
        if rows:
            lines = [_line(row) for row in rows[:3]]
            dispatcher.utter_message("This is what I can see:\n" + "\n".join(lines))
        else:
            pending = ledger.transactions(customer, state="pending")
            lines = [_line(row) for row in pending]
            note = "Still pending on your side:\n" + "\n".join(lines) if lines else ""
            dispatcher.utter_message(note or "Nothing is pending on your side right now.")
        dispatcher.utter_message(response="utter_payment_status_hint")
        return []


class ActionStandingOrders(Action):
    """Shows the standing orders."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_standing_orders"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Answer from the demo world."""
        lines = [
            f"- {format_cents(cents)} to {payee} from {account}, {rhythm}"
            for payee, cents, account, rhythm in world.STANDING_ORDERS
        ]
        dispatcher.utter_message("Your standing orders:\n" + "\n".join(lines))
        dispatcher.utter_message(response="utter_standing_order_hint")
        return []


class ActionDirectDebits(Action):
    """Shows who collects from the accounts."""

    def name(self) -> str:
        """The action's name in the domain."""
        return "action_direct_debits"

    def run(self, dispatcher: Dispatcher, tracker: Tracker, domain: Domain) -> Events:
        """Answer from the demo world."""
        lines = [
            f"- {company}: {format_cents(cents)} last time, from {account}, around day {day}"
            for company, cents, account, day in world.DIRECT_DEBITS
        ]
        dispatcher.utter_message("These companies collect from you:\n" + "\n".join(lines))
        dispatcher.utter_message(response="utter_direct_debit_hint")
        return []


def _credit_line(ledger: Ledger, customer: str) -> str:
    card = next(card for card in ledger.cards(customer) if card.kind == "credit")
    owed, left = format_cents(card.owed), format_cents(card.credit - card.owed)
    return f"You owe {owed} on your {card.label}; {left} of its limit is left."


def _overview(ledger: Ledger, customer: str) -> str:
    accounts = ledger.accounts(customer)
    lines = [f"- {a.name.capitalize()}: {format_cents(a.cents)}" for a in accounts]
    total = format_cents(sum(account.cents for account in accounts))
    return "\n".join(["Here is what you have with us:", *lines, f"Together: {total}"])


def _period(tracker: Tracker, today: date) -> Period | None:
    """The period named by one date entity, or by two as its ends."""
    found = [parse_period(str(v), today) for v in tracker.get_latest_entity_values("date")]
    periods = [period for period in found if period is not None]
    if not periods:
        return None
    text = text_of(tracker).lower()
    if len(periods) == 1 and "since" in text:
        return Period(periods[0].first, today)
    return Period(min(p.first for p in periods), max(p.last for p in periods))


def _where(account: str | None, merchant: str | None, period: Period | None) -> str:
    parts = ""
    if account:
        parts += f" on your {account} " + ("card" if account == "credit" else "account")
    if merchant:
        parts += f" with {merchant}"
    if period is not None and period.first == period.last:
        parts += f" on {format_day(period.first)}"
    elif period is not None:
        parts += f" from {format_day(period.first)} to {format_day(period.last)}"
    return parts


def _listing(rows: list[Transaction], where: str) -> str:
    lines = [_line(row) for row in rows[:_SHOWN]]
    more = len(rows) - _SHOWN
    if more > 0:
        lines.append(f"… and {more} more, all of them in the app.")
    out = -sum(row.cents for row in rows if row.cents < 0)
    if where and out:
        lines.append(f"Out in total: {format_cents(out)}")
    return f"Payments{where}:\n" + "\n".join(lines)


def _line(row: Transaction) -> str:
    pending = " (pending)" if row.state == "pending" else ""
    return f"- {format_day(row.day)}  {row.party}  {format_cents(row.cents)}{pending}"


def _payments(ledger: Ledger, tracker: Tracker) -> list[Transaction]:
    """Movements that fit the name or the sum in the message."""
    customer = customer_of(tracker)
    party = entity(tracker, "payee") or entity(tracker, "merchant")
    amount = parse_sum(entity(tracker, "amount") or "")
    if "salary" in text_of(tracker).lower() or "wages" in text_of(tracker).lower():
        party = "salary"
    if party is None and amount is None:
        return []
    known = find_payee(party, ledger.payees(customer))
    rows = ledger.transactions(customer, party=known.name if known else party)
    return [row for row in rows if amount is None or abs(row.cents) == amount.cents]
