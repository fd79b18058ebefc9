"""Personal data replaced by placeholders, the same in the log, in feedback and in look-ups."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from agent.project.types import EntityAnnotation

# Digits of every script count (`\d`); bounded repeats keep hostile texts linear.
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_CARD = re.compile(r"(?<![\d-])\d(?:[ -]?\d){11,18}(?!\d|-\d)")
# Maestro from 12 digits on, JCB's old 15, American Express 15, all others 13 to 19.
_CARD_START = re.compile(
    r"(?:5[06-9]|6)\d{10,17}$|(?:1800|2131)\d{11}$|3[0-9]\d{12,17}$|[245]\d{12,18}$"
)
_CN_ID = re.compile(r"(?<![A-Za-z0-9])[1-9]\d{16}[\dXx](?![A-Za-z0-9])")
_SSN = re.compile(
    r"(?<![\d-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?!-?\d)",
)
_PHONE = re.compile(
    r"(?<![\w+.-])(?<!\d )(?:"
    r"(?:\+|00)[1-9]\d{0,4}(?:[ ./-]{0,2}\(?\d{1,7}\)?){1,6}"  # +44 20 7946 0958, 0049 (0)30 123456
    r"|(?:1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}"  # (415) 555-0123, 415-555-0123
    r"|0\d(?:\.\d{2}){4}"  # 01.84.17.61.18
    r"|\(?0[1-9]\d{0,3}\)?(?:[ /-]\d{2,8}){1,4}"  # 020 7946 0958, 0151/2345678
    r"|1[3-9]\d{9}"  # a Chinese mobile number
    r")(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?!\d|-\d)",
    re.IGNORECASE,
)
# A number of any form is a phone's if the words before it say so.
_PHONE_WORD = re.compile(
    r"(?:\b(?:phone|mobile|cell|tel|fax|whatsapp|landline|(?:call|reach|text|ring) (?:me|us))\b"
    r"|电话|手机)[^\w+(]{0,4}(?:(?:number|no|nr|at|on|is|:|是|号|码)[^\w+(]{0,3}){0,3}"
    r"(?P<number>[+(]?\d(?:[ ()./-]{0,2}\d){6,14})(?!\d)",
    re.IGNORECASE,
)
_IP = re.compile(
    r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"
)
_DIGIT = re.compile(r"\d")
# The shortest of them but IBANs, which may be mostly letters: a phone number, an IP address.
_FEWEST_DIGITS, _IP_DIGITS, _IP_DOTS = 7, 4, 3
_CN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

_IBAN_LENGTHS = {
    name: int(length)
    for name, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20"
        "EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30"
        "KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24"
        "PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29"
        "VA22VG24XK20YE30",
    )
}


class MaskedSpan(NamedTuple):
    """Characters `[start:end]` of the original text that became a placeholder at `at`."""

    start: int
    end: int
    label: str
    at: int

    @property
    def placeholder(self) -> str:
        """What stands there now, such as `<EMAIL>`."""
        return f"<{self.label}>"


class Masked(NamedTuple):
    """A text without personal data, and what was replaced in it, in order."""

    text: str
    spans: tuple[MaskedSpan, ...]

    def locate(self, start: int, end: int) -> tuple[int, int]:
        """Where the original's characters `[start:end]` are now; a cut placeholder counts whole."""
        return self._locate(start, last=False), self._locate(end, last=True)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where the masked text's characters `[start:end]` stand in the original."""
        return _original(self, start, end)

    def touches(self, start: int, end: int) -> bool:
        """Whether any of the original's characters `[start:end]` was replaced."""
        return any(span.start < end and start < span.end for span in self.spans)

    def _locate(self, offset: int, *, last: bool) -> int:
        shift = 0
        for span in self.spans:
            inside = span.start < offset < span.end
            if offset <= span.start or (inside and not last):
                return span.at if inside else offset + shift
            if inside:
                return span.at + len(span.placeholder)
            shift = span.at + len(span.placeholder) - span.end
        return offset + shift


def mask(text: str, names: Iterable[tuple[int, int]] = ()) -> Masked:
    """Replace e-mail addresses, phone, card and identity numbers, IBANs, SSNs and IP addresses.

    Masking again changes nothing. Names cannot be told by their form: `names` are the spans
    where a model found some.

    >>> mask("write to jo@example.com").text
    'write to <EMAIL>'
    """
    found = [(start, end, "NAME") for start, end in names]
    while True:
        masked = _replace(text, found)
        more = _find(masked.text) if may_hold(masked.text) else []
        if not more:
            return masked
        found += [(*_original(masked, start, end), label) for start, end, label in more]


def mask_annotations(
    masked: Masked, entities: Sequence[EntityAnnotation]
) -> tuple[EntityAnnotation, ...]:
    """Entities of the original text as entities of the masked one, their values masked, too.

    Of several that a placeholder swallows the first stays.
    """
    moved: list[EntityAnnotation] = []
    for entity in sorted(entities, key=lambda one: one.start):
        start, end = masked.locate(entity.start, entity.end)
        if moved and start < moved[-1].end:
            continue
        value = mask_value(entity.value)
        if masked.touches(entity.start, entity.end):
            value = masked.text[start:end]
        moved.append(replace(entity, start=start, end=end, value=value))
    return tuple(moved)


def mask_value(value: Any) -> Any:
    """A JSON value with every text in it masked."""
    if isinstance(value, str):
        return mask(value).text if may_hold(value) else value
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {key: mask_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(inner) for inner in value]
    return value


def may_hold(text: str) -> bool:
    """Whether a text has what personal data of some kind needs; quick, where most have not.

    >>> may_hold("send 50 to anna"), may_hold("call 030 12345678")
    (False, True)
    """
    digits = len(_DIGIT.findall(text))
    return (
        "@" in text
        or digits >= _FEWEST_DIGITS
        or (digits >= _IP_DIGITS and text.count(".") >= _IP_DOTS)
        or (digits > 1 and _IBAN.search(text) is not None)
    )


def _find(text: str) -> list[tuple[int, int, str]]:
    """Spans with their labels, not overlapping; the surest kinds first."""
    found, taken = [], bytearray(len(text))
    for label, spans in _KINDS:
        for start, end in spans(text):
            if not any(taken[start:end]):
                taken[start:end] = b"\x01" * (end - start)
                found.append((start, end, label))
    return found


def _replace(text: str, found: Iterable[tuple[int, int, str]]) -> Masked:
    """The text with these spans replaced; overlapping ones become one, named by the longest."""
    parts, spans, position, length = [], [], 0, 0
    for start, end, label in _merged(found):
        parts += [text[position:start], f"<{label}>"]
        length += start - position
        spans.append(MaskedSpan(start, end, label, length))
        length += len(label) + 2
        position = end
    return Masked("".join([*parts, text[position:]]), tuple(spans))


def _merged(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    merged: list[tuple[int, int, str]] = []
    for start, end, label in sorted(found):
        if merged and start < merged[-1][1]:
            before = merged.pop()
            longer = label if end - start > before[1] - before[0] else before[2]
            merged.append((before[0], max(end, before[1]), longer))
        else:
            merged.append((start, end, label))
    return merged


def _original(masked: Masked, start: int, end: int) -> tuple[int, int]:
    """The original's characters that stand at `[start:end]` of the masked text."""
    return _back(masked, start, last=False), _back(masked, end, last=True)


def _back(masked: Masked, offset: int, *, last: bool) -> int:
    shift = 0
    for span in masked.spans:
        stop = span.at + len(span.placeholder)
        if offset <= span.at:
            break
        if offset < stop:
            return span.end if last else span.start
        shift = span.end - stop
    return offset + shift


def _plain(pattern: re.Pattern[str]) -> Callable[[str], Iterator[tuple[int, int]]]:
    return lambda text: (match.span() for match in pattern.finditer(text))


def iban_spans(text: str) -> Iterator[tuple[int, int]]:
    """Candidates of their country's length whose remainder by 97 is 1 (ISO 13616)."""
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[0][:2].upper(), 0)
        places = [i for i, char in enumerate(match[0]) if char.isalnum()]
        if not length or len(places) < length:
            continue
        end = match.start() + places[length - 1] + 1
        if text[end : end + 1].isalnum():
            continue
        code = "".join(match[0][i] for i in places[:length]).upper()
        moved = code[4:] + code[:4]
        if int("".join(str(int(char, 36)) for char in moved)) % 97 == 1:
            yield match.start(), end


def card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Numbers that start and are as long as cards' and pass Luhn's check (ISO/IEC 7812)."""
    for match in _CARD.finditer(text):
        digits = [int(char) for char in match[0] if char.isdigit()]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
        if (
            _CARD_START.match("".join(map(str, digits)))
            and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
        ):
            yield match.span()


def _chinese_ids(text: str) -> Iterator[tuple[int, int]]:
    """18 characters whose last one is the check digit (GB 11643)."""
    for match in _CN_ID.finditer(text):
        total = sum(int(c) * w for c, w in zip(match[0], _CN_WEIGHTS, strict=False))
        if "10X98765432"[total % 11] == match[0][-1].upper():
            yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        if 8 <= sum(char.isdigit() for char in match[0]) <= 21:
            yield match.span()
    for match in _PHONE_WORD.finditer(text):
        yield match.span("number")


_KINDS: tuple[tuple[str, Callable[[str], Iterator[tuple[int, int]]]], ...] = (
    ("EMAIL", _plain(_EMAIL)),
    ("IBAN", iban_spans),
    ("CARD", card_spans),
    ("ID", _chinese_ids),
    ("SSN", _plain(_SSN)),
    ("IP", _plain(_IP)),
    ("PHONE", _phones),
)
