"""The bank assistant's own modules, imported from its folder, over a ledger of its own."""

import importlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BANK = Path(__file__).parents[2] / "config" / "assistants" / "bank"
NOON = datetime(2026, 11, 23, 12, 0)

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports a module of the bank's `actions` package; forgotten afterwards."""
    monkeypatch.syspath_prepend(str(BANK))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    forget_actions()
    yield lambda name: importlib.import_module(f"actions.{name}")
    forget_actions()


def forget_actions() -> None:
    """Other tests have packages of the same name."""
    for name in [name for name in sys.modules if name.split(".")[0] == "actions"]:
        del sys.modules[name]


@pytest.fixture
def ledger(load: Load, tmp_path: Path) -> Any:
    """An empty ledger at noon of a Monday."""
    return load("ledger").Ledger(tmp_path / "ledger.sqlite3", now=lambda: NOON)


@pytest.fixture
def bank(load: Load, ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The ledger, used by the actions, too."""
    for module in (
        "account_actions",
        "transfer_actions",
        "card_actions",
        "dispute_actions",
        "service_actions",
    ):
        monkeypatch.setattr(load(module), "open_ledger", lambda: ledger)
    return ledger
