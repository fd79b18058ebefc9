"""The demo customer's world at the moment of the first message: what the ledger starts with."""

from datetime import date, timedelta

ACCOUNTS = (
    ("current", "XX00 TARW 4021 0000 0001", 243_187),
    ("savings", "XX00 TARW 4021 0000 0002", 825_000),
    ("joint", "XX00 TARW 4021 0000 0003", 116_430),
)
"""Name, IBAN, balance in cents."""

CARDS = (
    ("4021", "debit", "active", 0, 0),
    ("7788", "credit", "active", 31_245, 250_000),
    ("1530", "virtual", "active", 0, 0),
)
"""Last digits, kind, state, owed in cents, credit limit in cents."""

PAYEES = (
    ("Anna Schmidt", "", "DE89 3704 0044 0532 0130 00"),
    ("Helen Morgan", "mum,mom,mother,mama", "XX00 TARW 1190 0000 0007"),
    ("Riverside Lettings", "landlord,landlady,rent", "XX00 TARW 5520 0000 0014"),
    ("Tom Becker", "flatmate,roommate", "XX00 TARW 3361 0000 0021"),
)
"""Name, other words for it, IBAN."""

STANDING_ORDERS = (
    ("Riverside Lettings", 85_000, "current", "on the 1st of each month"),
    ("Savings account", 15_000, "current", "on the 2nd of each month"),
)
"""To whom, cents, from which account, how often."""

DIRECT_DEBITS = (
    ("Bright Energy", 6_420, "joint", 15),
    ("Vodafone", 2_499, "current", 20),
    ("FitLife", 3_900, "current", 5),
)
"""Company, cents at the last collection, account, day of the month."""

# Days before today, account, with whom, cents, how.
_RECENT = (
    (0, "current", "Starbucks", -485, "card"),
    (1, "current", "Lidl", -4_318, "card"),
    (1, "credit", "Amazon", -6_490, "card"),
    (2, "joint", "IKEA", -12_995, "card"),
    (3, "current", "Uber", -1_420, "card"),
    (4, "credit", "Spotify", -1_199, "card"),
    (5, "current", "Tom Becker", 2_000, "transfer"),
    (6, "current", "Lidl", -3_876, "card"),
    (8, "credit", "Netflix", -1_599, "card"),
    (9, "joint", "Deliveroo", -2_780, "card"),
    (11, "current", "Shell", -5_210, "card"),
    (13, "current", "Lidl", -2_945, "card"),
    (16, "credit", "Booking.com", -8_990, "card"),
    (18, "joint", "Decathlon", -4_599, "card"),
    (21, "current", "H&M", -5_990, "card"),
    (24, "credit", "Amazon", -2_349, "card"),
    (27, "current", "Lidl", -5_102, "card"),
    (33, "joint", "Zara", -7_495, "card"),
    (38, "credit", "Netflix", -1_599, "card"),
    (45, "current", "Uber", -1_865, "card"),
    (52, "credit", "Steam", -2_999, "card"),
)
_PENDING = ((0, "credit", "Shell", -7_000, "card"),)

Row = tuple[date, str, str, int, str, str]


def transactions(today: date) -> list[Row]:
    """Three months of rows: day, account, with whom, signed cents, how, `booked` or `pending`."""
    rows = [_row(today, entry, "booked") for entry in _RECENT]
    rows += [_row(today, entry, "pending") for entry in _PENDING]
    for back in range(3):
        rows += _monthly(today, back)
    return sorted(row for row in rows if row[0] <= today)


def _row(today: date, entry: tuple[int, str, str, int, str], state: str) -> Row:
    days, account, party, cents, how = entry
    return today - timedelta(days=days), account, party, cents, how, state


def _monthly(today: date, back: int) -> list[Row]:
    """What comes and goes once a month, `back` months ago."""
    month = today.replace(day=1)
    for _ in range(back):
        month = (month - timedelta(days=1)).replace(day=1)
    regular = [
        (28, "current", "Northlight Studios (salary)", 264_000, "transfer"),
        (1, "current", "Riverside Lettings", -85_000, "standing order"),
        (2, "current", "Savings account", -15_000, "standing order"),
        (2, "savings", "Current account", 15_000, "standing order"),
    ]
    regular += [(d, a, company, -c, "direct debit") for company, c, a, d in DIRECT_DEBITS]
    return [(month.replace(day=d), a, who, c, how, "booked") for d, a, who, c, how in regular]
