"""What customers call things: accounts, cards, payees, currencies, reasons."""

import re
from collections.abc import Iterable, Mapping

from actions.records import Card, Payee

_ACCOUNTS = {
    "current": ("current", "checking", "everyday", "main", "giro"),
    "savings": ("savings", "saving", "saver", "easy saver", "rainy day", "nest egg"),
    "joint": ("joint", "shared", "common"),
}
_CARDS = {
    "debit": ("debit", "cash card"),
    "credit": ("credit",),
    "virtual": ("virtual", "digital", "online"),
    "prepaid": ("prepaid", "pre-paid", "pre paid"),
}
_CURRENCIES = {
    "EUR": ("eur", "euro", "euros"),
    "USD": ("usd", "dollar", "dollars", "bucks"),
    "GBP": ("gbp", "pound", "pounds", "quid", "sterling"),
    "CHF": ("chf", "franc", "francs"),
    "JPY": ("jpy", "yen"),
    "SEK": ("sek", "kronor", "krona"),
    "NOK": ("nok", "kroner", "krone"),
    "PLN": ("pln", "zloty", "zlotys"),
    "INR": ("inr", "rupee", "rupees"),
    "CNY": ("cny", "yuan", "renminbi"),
    "AUD": ("aud", "australian", "aussie"),
    "CAD": ("cad", "canadian"),
}
_REASONS = {
    "not mine": (
        *("recogni", "not me", "wasn't me", "didn't make", "did not make", "not mine"),
        *("stolen", "unknown", "unauthor", "never bought", "isn't mine", "fraud"),
    ),
    "charged twice": ("twice", "double", "two times", "2 times", "duplicate", "again"),
    "wrong amount": ("amount", "too much", "overcharg", "wrong sum", "more than", "price"),
    "not received": (
        *("never came", "never arrived", "not arrive", "didn't arrive", "received", "deliver"),
        *("broken", "goods", "refund", "faulty", "never got"),
    ),
    "already cancelled": ("cancel", "subscription", "trial", "contract"),
}
_MODES = {
    "freeze": re.compile(r"\b(?:freez|froz|temporar|for now|reversib|paus)", re.IGNORECASE),
    "block": re.compile(r"\b(?:for good|for ?ever|permanent|final)", re.IGNORECASE),
}
_ANSWERS = {
    "freeze": re.compile(r"\b(?:find it|hold|undo)\b", re.IGNORECASE),
    "block": re.compile(r"\b(?:block|good|stolen|lost|cancel)", re.IGNORECASE),
}
_DENIED = re.compile(r"n['\u2019]t\b|\b(?:not|dont|never|instead of|rather than)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[.!?,;\n]+|\bbut\b|\b(?=instead of|rather than|not)", re.IGNORECASE)
_IBAN = re.compile(r"\b([A-Z]{2})\d{2}(?:[ -]?[A-Z0-9]){10,30}")
# How long an IBAN is (ISO 13616), for cutting off the words that follow it; XX is our demo's.
_IBAN_LENGTHS = {
    **{"AT": 20, "BE": 16, "CH": 21, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18},
    **{"FR": 27, "GB": 22, "GR": 27, "IE": 22, "IT": 27, "LT": 20, "LU": 20, "LV": 21, "NL": 18},
    **{"NO": 15, "PL": 28, "PT": 25, "SE": 24, "SI": 19, "SK": 24, "XX": 20},
}
_IBAN_START = re.compile(r"\b[A-Z]{2}\d{2}(?=(?:[ -]?[A-Z]*\d){4})")
_DIGITS = re.compile(r"\b(\d{4})\b")


def find_account(text: str | None) -> str | None:
    """`current`, `savings` or `joint`, if the text names one of them."""
    return _first(text, _ACCOUNTS)


def find_card_kind(text: str | None) -> str | None:
    """`debit`, `credit`, `virtual` or `prepaid`, if the text names one of them."""
    return _first(text, _CARDS)


def find_card(text: str | None, cards: Iterable[Card]) -> Card | None:
    """The customer's card that a text means, by its digits or else by its kind."""
    cards = list(cards)
    digits = set(_DIGITS.findall(text or ""))
    if digits:
        return next((card for card in cards if card.digits in digits), None)
    kind = find_card_kind(text)
    return next((card for card in cards if card.kind == kind), None)


def find_currency(text: str | None) -> str | None:
    """The ISO code of a currency that a text names."""
    # Australian and Canadian dollars must not be taken for American ones.
    specific_first = {code: _CURRENCIES[code] for code in ("AUD", "CAD")} | _CURRENCIES
    return _first(text, specific_first)


def find_reason(text: str | None) -> str | None:
    """Why a payment is disputed, if one of the usual reasons is given."""
    words = (text or "").lower()
    return next((r for r, signs in _REASONS.items() if any(s in words for s in signs)), None)


def find_block_mode(text: str | None) -> str | None:
    """`freeze` or `block`, if the answer to the question which of the two says so."""
    return _only(_modes(text, _MODES) or _modes(text, _ANSWERS))


def said_block_mode(text: str | None) -> str | None:
    """The same of any message, whose "block" may mean either.

    >>> said_block_mode("freeze my card"), said_block_mode("block my card")
    ('freeze', None)
    """
    return _only(_modes(text, _MODES))


def _modes(text: str | None, signs: Mapping[str, re.Pattern[str]]) -> list[str]:
    """The modes whose sign stands in a clause that denies nothing."""
    clauses = [c for c in _CLAUSE.split(text or "") if not _DENIED.search(c)]
    return [mode for mode, sign in signs.items() if any(sign.search(c) for c in clauses)]


def _only(found: list[str]) -> str | None:
    return found[0] if len(found) == 1 else None


def find_payee(text: str | None, payees: Iterable[Payee]) -> Payee | None:
    """The known payee that a text means: the whole name, its first word, or an alias."""
    wanted = re.sub(r"^(?:to|for|my|the)\s+", "", (text or "").strip().lower())
    wanted = re.sub(r"^(?:my|the)\s+", "", wanted).strip(" .!?,")
    if not wanted:
        return None
    for payee in payees:
        name = payee.name.lower()
        if wanted in (name, name.split()[0], *payee.aliases):
            return payee
    return None


def find_iban(text: str | None) -> str | None:
    """An IBAN in a text, in groups of four; None without one or if its check digits are wrong.

    Examples of this demo begin with `XX00` and carry no check digits (ISO 13616 otherwise).
    """
    match = _IBAN.search((text or "").upper())
    if match is None:
        return None
    compact = re.sub(r"[ -]", "", match.group())
    compact = compact[: _IBAN_LENGTHS.get(match.group(1), len(compact))]
    if not (compact.startswith("XX00") or _checks(compact)):
        return None
    return " ".join(re.findall(".{1,4}", compact))


def is_wrong_iban(text: str | None) -> bool:
    """Whether a text has what is meant as an IBAN but is none: check digits, or cut short."""
    return _IBAN_START.search((text or "").upper()) is not None and find_iban(text) is None


def find_account_number(text: str | None) -> str | None:
    """An IBAN or an account number of 8 to 10 digits, but no piece of a wrong IBAN."""
    if is_wrong_iban(text):
        return None
    plain = re.search(r"\b\d{8,10}\b", text or "")
    return find_iban(text) or (plain.group() if plain else None)


def _checks(iban: str) -> bool:
    digits = "".join(str(int(char, 36)) for char in iban[4:] + iban[:4])
    return int(digits) % 97 == 1


def _first(text: str | None, words: Mapping[str, tuple[str, ...]]) -> str | None:
    """The first key one of whose words stands in the text."""
    lower = (text or "").lower()
    for key, forms in words.items():
        if any(re.search(rf"\b{re.escape(form)}\b", lower) for form in forms):
            return key
    return None
