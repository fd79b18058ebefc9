"""What the bank assistant's actions read out of words: sums, days, names."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bank.conftest import Load

NOT_EXACT = (
    *("1e9", "€0.001", "1.5000", "1.2.3", "1,00,50", "5½", "50%", "50.5 cents", ".50", "10-20"),
    *("two fifty", "fifty cents", "five million", "one and a half thousand", "1.234k", "10 50"),
)
MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("50", 5_000),
        ("€1,200.50", 120_050),
        ("1.200,50 euros", 120_050),
        ("12,5", 1_250),
        ("1.000,50", 100_050),
        ("1,234,567.89", 123_456_789),
        ("1,000", 100_000),
        ("1 000 €", 100_000),
        ("5k", 500_000),
        ("2.5k", 250_000),
        ("about 30 please", 3_000),
        ("thirty five", 3_500),
        ("two hundred and five", 20_500),
        ("one thousand two hundred", 120_000),
        ("a hundred", 10_000),
        ("50 cents", 50),
        ("50p", 50),
    ],
)
def test_a_sum_is_read(load: Load, text: str, cents: int) -> None:
    assert load("money").parse_sum(text).cents == cents


@pytest.mark.parametrize(
    "text", ["", "some money", "-20", "€ -5", "€", "9" * 40, "五十", *NOT_EXACT]
)
def test_what_is_no_sum_is_not_read_as_one(load: Load, text: str) -> None:
    assert load("money").parse_sum(text) is None


def test_a_sign_gives_the_currency(load: Load) -> None:
    assert load("money").parse_sum("$40").currency == "USD"


def test_a_sum_survives_being_written_and_read(load: Load) -> None:
    money = load("money")

    @given(cents=st.integers(min_value=0, max_value=10**10))
    def round_trip(cents: int) -> None:
        assert money.parse_sum(money.format_cents(cents)).cents == cents

    round_trip()


def test_no_text_breaks_the_reading(load: Load) -> None:
    money, dates, names = load("money"), load("dates"), load("names")

    @given(text=st.text(max_size=60))
    def read(text: str) -> None:
        found = money.parse_sum(text)
        assert found is None or found.cents >= 0
        dates.parse_period(text, MONDAY)
        names.find_account_number(text)

    read()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", MONDAY),
        ("yesterday", date(2026, 11, 22)),
        ("last Friday", date(2026, 11, 20)),
        ("on monday", date(2026, 11, 16)),
        ("two weeks ago", date(2026, 11, 9)),
        ("12 May", date(2026, 5, 12)),
        ("3rd of December", date(2025, 12, 3)),
        ("Nov 3rd", date(2026, 11, 3)),
        ("the 12th", date(2026, 11, 12)),
        ("the 30th", date(2026, 10, 30)),
        ("2026-11-02", date(2026, 11, 2)),
        ("5.11.2026", date(2026, 11, 5)),
        ("tomorrow", date(2026, 11, 24)),
    ],
)
def test_a_day_is_read(load: Load, text: str, day: date) -> None:
    assert load("dates").parse_day(text, MONDAY) == day


@pytest.mark.parametrize("text", ["", "never", "31.02.2026", "the 99th", "2026-13-01", "10€"])
def test_what_is_no_day_is_not_read_as_one(load: Load, text: str) -> None:
    assert load("dates").parse_day(text, MONDAY) is None


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("last month", date(2026, 10, 1), date(2026, 10, 31)),
        ("this week", MONDAY, MONDAY),
        ("last week", date(2026, 11, 16), date(2026, 11, 22)),
        ("past 30 days", date(2026, 10, 24), MONDAY),
        ("December", date(2025, 12, 1), date(2025, 12, 31)),
        ("this year", date(2026, 1, 1), MONDAY),
        ("yesterday", date(2026, 11, 22), date(2026, 11, 22)),
    ],
)
def test_a_period_is_read(load: Load, text: str, first: date, last: date) -> None:
    period = load("dates").parse_period(text, MONDAY)
    assert (period.first, period.last) == (first, last)


@pytest.mark.parametrize(
    ("text", "iban"),
    [
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("it's de89 3704 0044 0532 0130 00 please", "DE89 3704 0044 0532 0130 00"),
        ("DE88 3704 0044 0532 0130 00", None),
        ("DE89 3704 0044", None),
        ("XX00 TARW 1111 2222 3333", "XX00 TARW 1111 2222 3333"),
        ("hello", None),
    ],
)
def test_an_iban_is_read_if_its_check_digits_are_right(
    load: Load, text: str, iban: str | None
) -> None:
    assert load("names").find_iban(text) == iban


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mum", "Helen Morgan"),
        ("my landlord", "Riverside Lettings"),
        ("anna", "Anna Schmidt"),
        ("to Tom Becker.", "Tom Becker"),
        ("Barbara", None),
        ("", None),
    ],
)
def test_a_known_payee_is_found_by_name_or_relation(
    load: Load, ledger: Any, text: str, name: str | None
) -> None:
    found = load("names").find_payee(text, ledger.payees("alex"))
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I don't recognise it", "not mine"),
        ("I was charged twice", "charged twice"),
        ("The amount is wrong", "wrong amount"),
        ("The goods never came", "not received"),
        ("I cancelled the subscription", "already cancelled"),
        ("hm", None),
    ],
)
def test_a_reason_is_recognised(load: Load, text: str, reason: str | None) -> None:
    assert load("names").find_reason(text) == reason


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("Freeze it for now", "freeze"),
        ("Block it for good", "block"),
        ("permanently", "block"),
        ("temporarily please", "freeze"),
        ("until I find it", "freeze"),
        ("block", "block"),
        ("I will not find it, block it for good", "block"),
        ("freeze it, don't block it for good", "freeze"),
        ("block it for good instead of freezing it", "block"),
        ("not freeze, block", "block"),
        ("freeze or block for good", None),
        ("what?", None),
    ],
)
def test_freezing_and_blocking_are_told_apart(load: Load, text: str, mode: str | None) -> None:
    assert load("names").find_block_mode(text) == mode


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("please freeze my credit card", "freeze"),
        ("unfreeze my card", None),
        ("block my card, I can't find it", None),
        ("my card was stolen, block it for ever", "block"),
    ],
)
def test_a_message_may_say_itself_how_far_to_go(load: Load, text: str, mode: str | None) -> None:
    assert load("names").said_block_mode(text) == mode
