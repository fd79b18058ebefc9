"""What the ledger's file holds: its tables, rows as values, a customer's first rows."""

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from actions import world

SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (customer TEXT PRIMARY KEY, seen TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
    customer TEXT, name TEXT, iban TEXT, cents INTEGER NOT NULL CHECK (cents >= 0),
    PRIMARY KEY (customer, name));
CREATE TABLE IF NOT EXISTS cards (
    customer TEXT, digits TEXT, kind TEXT, state TEXT, owed INTEGER, credit INTEGER,
    PRIMARY KEY (customer, digits));
CREATE TABLE IF NOT EXISTS payees (
    customer TEXT, name TEXT, aliases TEXT, iban TEXT, added TEXT,
    PRIMARY KEY (customer, name));
CREATE TABLE IF NOT EXISTS transactions (
    id INTEGER PRIMARY KEY, customer TEXT, day TEXT, account TEXT, party TEXT,
    cents INTEGER NOT NULL, how TEXT, state TEXT);
CREATE INDEX IF NOT EXISTS by_customer ON transactions (customer, day);
CREATE TABLE IF NOT EXISTS transfers (
    customer TEXT, key TEXT, reference TEXT, source TEXT, target TEXT, cents INTEGER, day TEXT,
    own INTEGER, PRIMARY KEY (customer, key));
CREATE TABLE IF NOT EXISTS cases (
    customer TEXT, key TEXT, reference TEXT, kind TEXT, details TEXT, day TEXT,
    PRIMARY KEY (customer, kind, key));
"""
TABLES = ("accounts", "cards", "payees", "transactions", "transfers", "cases", "customers")


class LedgerError(Exception):
    """The ledger refuses; the message is written for the customer."""


class InsufficientFundsError(LedgerError):
    """The account holds less than the sum."""


class LimitExceededError(LedgerError):
    """The sum is above a limit for transfers."""


class UnknownEntryError(LedgerError):
    """There is no such account, card or payee."""


class CardStateError(LedgerError):
    """The card's state does not allow it."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account; `cents` is its balance."""

    name: str
    iban: str
    cents: int


@dataclass(frozen=True, slots=True)
class Card:
    """A card; `owed` and `credit` are cents and 0 but for a credit card."""

    digits: str
    kind: str
    state: str
    owed: int = 0
    credit: int = 0

    @property
    def label(self) -> str:
        """The card in words."""
        return f"{self.kind} card ending {self.digits}"


@dataclass(frozen=True, slots=True)
class Payee:
    """Somebody who was paid before; `aliases` are other words for them, in lower case."""

    name: str
    iban: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A movement; `cents` is negative when money went out."""

    day: date
    account: str
    party: str
    cents: int
    how: str
    state: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transfer that was made; `left` is the source account's balance in cents after it."""

    reference: str
    cents: int
    left: int


def seed(db: sqlite3.Connection, customer: str, now: datetime) -> None:
    """Make a new customer's world."""
    long_ago = (now - timedelta(days=400)).isoformat()
    db.executemany(
        "INSERT INTO accounts VALUES (?, ?, ?, ?)", [(customer, *row) for row in world.ACCOUNTS]
    )
    db.executemany(
        "INSERT INTO cards VALUES (?, ?, ?, ?, ?, ?)", [(customer, *row) for row in world.CARDS]
    )
    db.executemany(
        "INSERT INTO payees VALUES (?, ?, ?, ?, ?)",
        [(customer, *row, long_ago) for row in world.PAYEES],
    )
    db.executemany(
        "INSERT INTO transactions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
        [(customer, day.isoformat(), *rest) for day, *rest in world.transactions(now.date())],
    )


def last_visit(db: sqlite3.Connection, customer: str) -> str | None:
    """The day of the customer's latest visit; None if there is no such customer (or table)."""
    try:
        row = db.execute("SELECT seen FROM customers WHERE customer = ?", (customer,)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return str(row[0]) if row else None


def read_accounts(db: sqlite3.Connection, customer: str) -> list[Account]:
    """All accounts of a customer, in their usual order."""
    query = "SELECT name, iban, cents FROM accounts WHERE customer = ? ORDER BY rowid"
    return [Account(*row) for row in db.execute(query, (customer,))]


def read_account(db: sqlite3.Connection, customer: str, name: str) -> Account:
    """One account. Raises UnknownEntryError."""
    found = next((a for a in read_accounts(db, customer) if a.name == name), None)
    if found is None:
        raise UnknownEntryError(f"You have no {name} account with us.")
    return found


def read_cards(db: sqlite3.Connection, customer: str) -> list[Card]:
    """All cards of a customer, in the order in which they were made."""
    query = "SELECT digits, kind, state, owed, credit FROM cards WHERE customer = ? ORDER BY rowid"
    return [Card(*row) for row in db.execute(query, (customer,))]


def read_card(db: sqlite3.Connection, customer: str, digits: str) -> Card:
    """One card. Raises UnknownEntryError."""
    found = next((c for c in read_cards(db, customer) if c.digits == digits), None)
    if found is None:
        raise UnknownEntryError(f"I see no card ending {digits} in your name.")
    return found


def read_payees(db: sqlite3.Connection, customer: str) -> list[Payee]:
    """Everybody whom the customer paid before, in that order."""
    query = "SELECT name, iban, aliases FROM payees WHERE customer = ? ORDER BY rowid"
    rows = db.execute(query, (customer,)).fetchall()
    return [Payee(name, iban, tuple(a.split(",")) if a else ()) for name, iban, a in rows]


def is_own(db: sqlite3.Connection, customer: str, target: str) -> bool:
    """Whether `target` is one of the customer's own accounts."""
    return any(account.name == target for account in read_accounts(db, customer))


def change_balance(db: sqlite3.Connection, customer: str, account: str, cents: int) -> None:
    """Add cents (or take them, if negative) to an account; it cannot fall below zero."""
    db.execute(
        "UPDATE accounts SET cents = cents + ? WHERE customer = ? AND name = ?",
        (cents, customer, account),
    )


def enter_movement(
    db: sqlite3.Connection, customer: str, day: str, account: str, party: str, cents: int
) -> None:
    """Write a booked transfer into the list of movements."""
    db.execute(
        "INSERT INTO transactions VALUES (NULL, ?, ?, ?, ?, ?, 'transfer', 'booked')",
        (customer, day, account, party, cents),
    )
