"""The demo ledger: accounts, cards, payees and payments in one SQLite file, each change atomic."""

import os
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

from actions.ledger_file import LedgerFile
from actions.records import (
    SCHEMA,
    TABLES,
    Account,
    Card,
    CardStateError,
    InsufficientFundsError,
    LedgerError,
    LimitExceededError,
    Payee,
    Receipt,
    Transaction,
    change_balance,
    enter_movement,
    is_own,
    last_visit,
    read_account,
    read_accounts,
    read_card,
    read_cards,
    read_payees,
    seed,
)

DAILY_LIMIT_CENTS = 500_000
NEW_PAYEE_LIMIT_CENTS = 100_000
_KEEP_DAYS = 30
_COLUMNS = "day, account, party, cents, how, state"
_FILE = "ledger-v1.sqlite3"


def default_path(project: Path) -> Path:
    """Where the ledger lies: in the project's `.agent/` if it can be written to, else in temp."""
    configured = os.environ.get("TARNWICK_LEDGER")
    if configured:
        return Path(configured)
    for folder in (project / ".agent", Path(tempfile.gettempdir()) / f"tarnwick-{_user()}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder / _FILE
    raise LedgerError("I cannot reach the demo ledger: neither the project nor temp is writable.")


class Ledger:
    """A bank of demo customers, each with a world of its own, made at the first visit.

    Every thread has its own connection, so threads and processes may share a ledger. A ledger
    that is deleted begins anew for all of them.

    Args:
        path: the SQLite file; it is made where there is none.
        now: the clock, local time without a zone.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = datetime.now) -> None:
        self._file = LedgerFile(path)
        self._now = now

    @property
    def today(self) -> date:
        """The ledger's date."""
        return self._now().date()

    def accounts(self, customer: str) -> list[Account]:
        """All accounts in their usual order."""
        with self._open(customer) as db:
            return read_accounts(db, customer)

    def account(self, customer: str, name: str) -> Account:
        """One account. Raises UnknownEntryError."""
        with self._open(customer) as db:
            return read_account(db, customer, name)

    def cards(self, customer: str) -> list[Card]:
        """All cards, in the order in which they were made."""
        with self._open(customer) as db:
            return read_cards(db, customer)

    def payees(self, customer: str) -> list[Payee]:
        """Everybody who was paid before."""
        with self._open(customer) as db:
            return read_payees(db, customer)

    def transactions(
        self,
        customer: str,
        *,
        account: str | None = None,
        party: str | None = None,
        first: date | None = None,
        last: date | None = None,
        state: str | None = None,
    ) -> list[Transaction]:
        """Movements, the newest first; each given filter must hold; `party` may be a part."""
        where, values = ["customer = ?"], [customer]
        for column, value in (("account", account), ("state", state)):
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        for comparison, day in (("day >= ?", first), ("day <= ?", last)):
            if day is not None:
                where.append(comparison)
                values.append(day.isoformat())
        if party is not None:
            where.append("instr(lower(party), lower(?)) > 0")
            values.append(party)
        # Only the fixed comparisons above are joined in; what they compare with is bound.
        query = f"SELECT {_COLUMNS} FROM transactions WHERE {' AND '.join(where)}"  # noqa: S608
        query += " ORDER BY day DESC, id DESC"
        with self._open(customer) as db:
            rows = db.execute(query, values).fetchall()
        return [Transaction(date.fromisoformat(day), *rest) for day, *rest in rows]

    def transfer(
        self, customer: str, *, source: str, target: str, iban: str = "", cents: int, key: str
    ) -> Receipt:
        """Move money once; the same `key` again returns the first receipt and moves nothing.

        Args:
            source: the account that pays.
            target: one of the customer's accounts, a payee's name or an account number.
            iban: for a payee who was not paid before.
            cents: how much, more than 0.

        Raises:
            InsufficientFundsError, LimitExceededError, UnknownEntryError, LedgerError.
        """
        if cents <= 0:
            raise LedgerError("I can only send sums above €0.00.")
        with self._open(customer, write=True) as db:
            done = db.execute(
                "SELECT reference, cents, source FROM transfers WHERE customer = ? AND key = ?",
                (customer, key),
            ).fetchone()
            if done:
                return Receipt(done[0], done[1], read_account(db, customer, done[2]).cents)
            return self._move(db, customer, source, target, iban, cents, key)

    def check_transfer(self, customer: str, *, source: str, target: str, cents: int) -> None:
        """Raise what `transfer` would raise, without moving anything."""
        with self._open(customer) as db:
            self._check(db, customer, source, target, cents)

    def set_card(self, customer: str, digits: str, state: str) -> Card:
        """Freeze, block or reactivate a card; blocking is final.

        Raises:
            UnknownEntryError: no such card.
            CardStateError: the card was blocked for good.
        """
        with self._open(customer, write=True) as db:
            card = read_card(db, customer, digits)
            if card.state == "blocked" and state != "blocked":
                raise CardStateError(f"Your {card.label} was blocked for good and stays that way.")
            db.execute(
                "UPDATE cards SET state = ? WHERE customer = ? AND digits = ?",
                (state, customer, digits),
            )
            return read_card(db, customer, digits)

    def order_card(self, customer: str, kind: str, *, key: str) -> Card:
        """Order a card by post; the same `key` again returns the same card."""
        with self._open(customer, write=True) as db:
            known = {card.digits: card for card in read_cards(db, customer)}
            free = (f"{number:04d}" for number in range(2_001, 10_000))
            digits = next(number for number in free if number not in known)
            ordered = self._enter_case(db, customer, "card order", digits, key)[1]
            if ordered not in known:
                row = (customer, ordered, kind, "ordered", 0, 0)
                db.execute("INSERT INTO cards VALUES (?, ?, ?, ?, ?, ?)", row)
            return read_card(db, customer, ordered)

    def open_case(self, customer: str, kind: str, details: str, *, key: str) -> str:
        """Write down a dispute, complaint, order or appointment; returns its reference."""
        with self._open(customer, write=True) as db:
            return self._enter_case(db, customer, kind, details, key)[0]

    def cases(self, customer: str, kind: str) -> list[tuple[str, str]]:
        """Reference and details of the customer's cases of a kind, oldest first."""
        with self._open(customer) as db:
            query = "SELECT reference, details FROM cases WHERE customer = ? AND kind = ?"
            return list(db.execute(query + " ORDER BY rowid", (customer, kind)))

    def _enter_case(
        self, db: sqlite3.Connection, customer: str, kind: str, details: str, key: str
    ) -> tuple[str, str]:
        """Reference and details of the case, which may be there already."""
        db.execute(
            "INSERT OR IGNORE INTO cases VALUES (?, ?, ?, ?, ?, ?)",
            (customer, key, _reference(kind[0]), kind, details, self.today.isoformat()),
        )
        query = "SELECT reference, details FROM cases WHERE customer = ? AND kind = ? AND key = ?"
        reference, known = db.execute(query, (customer, kind, key)).fetchone()
        return reference, known

    def _move(
        self,
        db: sqlite3.Connection,
        customer: str,
        source: str,
        target: str,
        iban: str,
        cents: int,
        key: str,
    ) -> Receipt:
        self._check(db, customer, source, target, cents)
        own = is_own(db, customer, target)
        change_balance(db, customer, source, -cents)
        today = self.today.isoformat()
        party = f"{target.capitalize()} account" if own else target
        enter_movement(db, customer, today, source, party, -cents)
        if own:
            change_balance(db, customer, target, cents)
            enter_movement(db, customer, today, target, f"{source.capitalize()} account", cents)
        else:
            db.execute(
                "INSERT OR IGNORE INTO payees VALUES (?, ?, '', ?, ?)",
                (customer, target, iban or target, self._now().isoformat()),
            )
        reference = _reference("t")
        db.execute(
            "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (customer, key, reference, source, target, cents, today, own),
        )
        return Receipt(reference, cents, read_account(db, customer, source).cents)

    def _check(
        self, db: sqlite3.Connection, customer: str, source: str, target: str, cents: int
    ) -> None:
        account = read_account(db, customer, source)
        if source == target:
            raise LedgerError("The money is in that account already.")
        if cents > account.cents:
            raise InsufficientFundsError(f"Your {source} account does not hold that much.")
        if is_own(db, customer, target):
            return
        if cents > NEW_PAYEE_LIMIT_CENTS and not self._is_settled(db, customer, target):
            raise LimitExceededError(
                "A new payee can be sent at most €1,000 in the first 24 hours."
            )
        sent = db.execute(
            "SELECT coalesce(sum(cents), 0) FROM transfers "
            "WHERE customer = ? AND day = ? AND NOT own",
            (customer, self.today.isoformat()),
        ).fetchone()[0]
        if sent + cents > DAILY_LIMIT_CENTS:
            raise LimitExceededError(
                "That is above your daily transfer limit of €5,000. "
                "You can raise it in the app; the change works after 4 hours."
            )

    def _is_settled(self, db: sqlite3.Connection, customer: str, target: str) -> bool:
        """Whether the payee has been known for a day."""
        row = db.execute(
            "SELECT added FROM payees WHERE customer = ? AND name = ?", (customer, target)
        ).fetchone()
        if row is None:
            return False
        return bool(datetime.fromisoformat(row[0]) <= self._now() - timedelta(hours=24))

    @contextmanager
    def _open(self, customer: str, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction in which the customer exists; it is undone if the block raises."""
        db = self._file.connection()
        # Payments wait for the disk; a world that can be made again does not.
        db.execute("PRAGMA synchronous = NORMAL")
        self._ensure(db, customer)
        if write:
            db.execute("PRAGMA synchronous = FULL")
        with _transaction(db, "BEGIN IMMEDIATE" if write else "BEGIN"):
            yield db

    def _ensure(self, db: sqlite3.Connection, customer: str) -> None:
        """Make the tables and the customer's world if they are not there."""
        today = self.today.isoformat()
        if last_visit(db, customer) == today:
            return
        with _transaction(db, "BEGIN IMMEDIATE"):
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            self._forget_old(db)
            if last_visit(db, customer) is None:
                seed(db, customer, self._now())
            db.execute("INSERT OR REPLACE INTO customers VALUES (?, ?)", (customer, today))

    def _forget_old(self, db: sqlite3.Connection) -> None:
        """Drop demo customers who have not been here for a month, so that the file stays small."""
        limit = (self.today - timedelta(days=_KEEP_DAYS)).isoformat()
        for (customer,) in db.execute(
            "SELECT customer FROM customers WHERE seen < ?", (limit,)
        ).fetchall():
            for table in TABLES:
                db.execute(f"DELETE FROM {table} WHERE customer = ?", (customer,))  # noqa: S608


@contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Commits at the end; undone if the block raises or the disk does not take it."""
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk ends it by itself
            db.execute("ROLLBACK")
        raise


def _reference(letter: str) -> str:
    return f"TW-{letter.upper()}{secrets.token_hex(3).upper()}"


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
