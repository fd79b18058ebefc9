"""The bank assistant's demo ledger: money is moved whole, once, and within its limits."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.bank.conftest import BANK, NOON, Load


def balances(ledger: Any, customer: str = "alex") -> dict[str, int]:
    return {account.name: account.cents for account in ledger.accounts(customer)}


def send(ledger: Any, *, key: str = "k", **changes: Any) -> Any:
    details = {"source": "current", "target": "Anna Schmidt", "cents": 5_000, **changes}
    return ledger.transfer("alex", key=key, **details)


def test_a_new_customer_has_three_accounts_and_three_cards(ledger: Any) -> None:
    assert list(balances(ledger)) == ["current", "savings", "joint"]
    assert [card.digits for card in ledger.cards("alex")] == ["4021", "7788", "1530"]


def test_a_transfer_to_a_payee_leaves_the_account(ledger: Any) -> None:
    before = balances(ledger)["current"]
    receipt = send(ledger)
    assert receipt.left == balances(ledger)["current"] == before - 5_000
    assert ledger.transactions("alex")[0].party == "Anna Schmidt"


def test_a_transfer_between_own_accounts_keeps_the_total(ledger: Any) -> None:
    before = balances(ledger)
    send(ledger, target="savings")
    after = balances(ledger)
    assert sum(after.values()) == sum(before.values())
    assert after["savings"] == before["savings"] + 5_000


def test_the_same_key_moves_money_once(ledger: Any) -> None:
    first = send(ledger, key="message-1")
    second = send(ledger, key="message-1")
    assert second == first


def test_more_than_the_account_holds_is_refused_and_nothing_moves(ledger: Any, load: Load) -> None:
    before = balances(ledger)
    with pytest.raises(load("records").InsufficientFundsError):
        send(ledger, source="joint", cents=before["joint"] + 1)
    assert balances(ledger) == before


def test_the_last_cent_can_be_sent(ledger: Any) -> None:
    assert send(ledger, source="joint", cents=balances(ledger)["joint"]).left == 0


@pytest.mark.parametrize("cents", [0, -100])
def test_nothing_or_less_cannot_be_sent(ledger: Any, load: Load, cents: int) -> None:
    with pytest.raises(load("records").LedgerError):
        send(ledger, cents=cents)


def test_an_account_cannot_pay_itself(ledger: Any, load: Load) -> None:
    with pytest.raises(load("records").LedgerError, match="already"):
        send(ledger, target="current")


def test_an_unknown_account_is_named(ledger: Any, load: Load) -> None:
    with pytest.raises(load("records").UnknownEntryError, match="holiday"):
        send(ledger, source="holiday")


def test_a_new_payee_gets_at_most_a_thousand_euros_on_the_first_day(
    ledger: Any, load: Load, tmp_path: Path
) -> None:
    with pytest.raises(load("records").LimitExceededError):
        send(ledger, target="Carla Rossi", cents=100_001)
    send(ledger, target="Carla Rossi", iban="XX00 0000 0000 0001", cents=100)
    later = load("ledger").Ledger(tmp_path / "ledger.sqlite3", lambda: NOON + timedelta(hours=25))
    assert send(later, target="Carla Rossi", cents=100_001, key="later").cents == 100_001


def test_a_day_of_transfers_stays_under_the_daily_limit(ledger: Any, load: Load) -> None:
    send(ledger, source="savings", cents=450_000)
    with pytest.raises(load("records").LimitExceededError):
        send(ledger, source="savings", cents=50_001, key="second")
    send(ledger, source="savings", target="current", cents=300_000, key="own accounts are free")


def test_a_check_moves_nothing(ledger: Any) -> None:
    before = balances(ledger)
    ledger.check_transfer("alex", source="current", target="savings", cents=100)
    assert balances(ledger) == before


def test_many_transfers_at_once_never_overdraw(ledger: Any, load: Load) -> None:
    before = balances(ledger)
    refused = load("records").InsufficientFundsError

    def attempt(number: int) -> int:
        try:
            cents: int = send(ledger, source="joint", cents=30_000, key=str(number)).cents
        except refused:
            return 0
        return cents

    with ThreadPoolExecutor(8) as pool:
        moved = sum(pool.map(attempt, range(12)))
    assert moved == 90_000
    assert balances(ledger)["joint"] == before["joint"] - moved


def test_a_failure_in_the_middle_of_a_transfer_undoes_it(
    ledger: Any, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, shown = balances(ledger), ledger.transactions("alex")

    def break_down(letter: str) -> str:
        raise RuntimeError(letter)

    monkeypatch.setattr(load("ledger"), "_reference", break_down)
    with pytest.raises(RuntimeError):
        send(ledger, target="savings")
    assert balances(ledger) == before
    assert ledger.transactions("alex") == shown


def test_the_tables_themselves_refuse_a_negative_balance(ledger: Any, tmp_path: Path) -> None:
    ledger.accounts("alex")
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE accounts SET cents = -1")


def test_a_frozen_card_can_be_unfrozen(ledger: Any) -> None:
    assert ledger.set_card("alex", "4021", "frozen").state == "frozen"
    assert ledger.set_card("alex", "4021", "active").state == "active"


def test_a_blocked_card_stays_blocked(ledger: Any, load: Load) -> None:
    ledger.set_card("alex", "4021", "blocked")
    with pytest.raises(load("records").CardStateError):
        ledger.set_card("alex", "4021", "active")
    assert ledger.cards("alex")[0].state == "blocked"


def test_an_order_is_taken_once(ledger: Any) -> None:
    first = ledger.order_card("alex", "debit", key="m1")
    assert ledger.order_card("alex", "debit", key="m1") == first
    assert [card.state for card in ledger.cards("alex")].count("ordered") == 1


def test_two_orders_are_two_cards(ledger: Any) -> None:
    made = {ledger.order_card("alex", "debit", key=str(n)).digits for n in range(5)}
    assert len(made) == 5
    assert len(ledger.cards("alex")) == 8


def test_a_case_keeps_its_reference_and_details(ledger: Any) -> None:
    reference = ledger.open_case("alex", "dispute", "Amazon; twice", key="m1")
    assert ledger.open_case("alex", "dispute", "Amazon; twice", key="m1") == reference
    assert ledger.cases("alex", "dispute") == [(reference, "Amazon; twice")]


def test_customers_do_not_share_money(ledger: Any) -> None:
    send(ledger)
    assert balances(ledger, "somebody else")["current"] == 243_187


def test_transactions_can_be_narrowed_down(ledger: Any) -> None:
    lidl = ledger.transactions("alex", party="lidl", first=NOON.date() - timedelta(days=7))
    assert [row.party for row in lidl] == ["Lidl", "Lidl"]
    assert all(row.account == "joint" for row in ledger.transactions("alex", account="joint"))
    assert ledger.transactions("alex", party="%") == []


def test_the_newest_transaction_comes_first_and_none_lies_ahead(ledger: Any) -> None:
    days = [row.day for row in ledger.transactions("alex")]
    assert days == sorted(days, reverse=True)
    assert days[0] == NOON.date()


@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 3, 31), date(2028, 2, 29)])
def test_the_world_begins_on_any_day(load: Load, tmp_path: Path, day: date) -> None:
    noon = datetime(day.year, day.month, day.day, 12)
    fresh = load("ledger").Ledger(tmp_path / "ledger.sqlite3", lambda: noon)
    assert len(fresh.transactions("alex")) > 20


def test_customers_who_stayed_away_for_a_month_are_forgotten(
    ledger: Any, load: Load, tmp_path: Path
) -> None:
    send(ledger)
    path = tmp_path / "ledger.sqlite3"
    load("ledger").Ledger(path, lambda: NOON + timedelta(days=31)).accounts("another")
    with sqlite3.connect(path) as db:
        left = db.execute("SELECT DISTINCT customer FROM accounts").fetchall()
    assert left == [("another",)]


def test_what_was_done_is_there_after_a_restart(ledger: Any, load: Load, tmp_path: Path) -> None:
    left = send(ledger).left
    again = load("ledger").Ledger(tmp_path / "ledger.sqlite3", lambda: NOON)
    assert balances(again)["current"] == left


def test_names_with_quotes_are_only_names(ledger: Any) -> None:
    name = "Robert'); DROP TABLE accounts;--"
    send(ledger, target=name, cents=100)
    assert ledger.payees("alex")[-1].name == name


def test_the_ledger_lies_in_the_project_or_else_in_temp(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TARNWICK_LEDGER", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    default_path = load("ledger").default_path
    assert default_path(tmp_path / "project").parent == tmp_path / "project" / ".agent"
    blocked = tmp_path / "a file"
    blocked.write_text("")
    assert default_path(blocked).is_relative_to(tmp_path / "temp")


def test_a_thread_opens_the_file_once(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = balances(ledger)
    monkeypatch.setattr(sqlite3, "connect", None)
    assert balances(ledger) == first
    assert balances(ledger, "another") == first


def test_a_disk_that_is_full_costs_a_question_and_not_the_next(ledger: Any) -> None:
    ledger.accounts("ada")
    db = ledger._file.connection()
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    newcomers = (ledger.accounts(f"customer-{number}") for number in range(200))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        deque(newcomers, maxlen=0)
    db.execute("PRAGMA max_page_count = 1000000")
    assert len(ledger.accounts("bob")) == 3


@pytest.mark.parametrize("gone", ["ledger.sqlite3", "ledger.sqlite3*"])
def test_a_ledger_deleted_in_use_begins_anew_for_every_thread(
    ledger: Any, tmp_path: Path, gone: str
) -> None:
    one, other, late = (ThreadPoolExecutor(1) for _ in range(3))
    fresh = one.submit(balances, ledger).result()
    other.submit(send, ledger).result()
    for path in tmp_path.glob(gone):
        path.unlink()
    assert late.submit(balances, ledger).result() == fresh
    one.submit(send, ledger, key="again").result()
    seen = [thread.submit(balances, ledger).result() for thread in (one, other, late)]
    assert [found["current"] for found in seen] == [fresh["current"] - 5_000] * 3


def test_a_ledger_deleted_in_use_begins_anew_for_every_process(ledger: Any, tmp_path: Path) -> None:
    fresh = balances(ledger)
    script = (
        "import sys; from pathlib import Path; from actions.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for _ in sys.stdin: print([a.cents for a in ledger.accounts('alex')], flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "ledger.sqlite3")]
    environment = {**os.environ, "PYTHONPATH": str(BANK), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write("?\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == list(balances(ledger).values())
            (tmp_path / "ledger.sqlite3").unlink()
            send(ledger)
        assert balances(ledger)["current"] == fresh["current"] - 5_000
        process.stdin.close()


def test_a_ledger_whose_folder_was_deleted_is_made_anew(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    ledger = load("ledger").Ledger(folder / "ledger.sqlite3", now=lambda: NOON)
    fresh = balances(ledger)
    send(ledger)
    shutil.rmtree(folder)
    assert balances(ledger) == fresh


def test_a_damaged_ledger_is_named_and_can_be_deleted(
    ledger: Any, load: Load, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"no ledger" * 1000)
    with pytest.raises(load("records").LedgerError, match=r"delete ledger\.sqlite3"):
        balances(ledger)
    path.unlink()
    assert balances(ledger)["joint"] == 116_430
