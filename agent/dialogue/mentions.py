"""What a message names for the slots of the active form, and what of it is denied."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agent.dialogue.names import BUILTIN_SLOTS, REQUESTED_SLOT
from agent.dialogue.repair_words import Marks
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain, Slot, SlotMapping

_NUMBER = re.compile(r"\d[\d.,'\u00a0]*")
_PARTS = re.compile(r",\s+|;\s*|\n+")
_WORDS_BESIDE = 2
# Letters by which a word is known for one of the form's name: "book", "booking_form".
_STEM = 4
_FORM_WORDS = frozenset(("form", "none", "intent", "action", "want", "request", "info"))


class Mention(NamedTuple):
    """A value at `[start:end]` of the message (0, 0: nowhere) for one of `slots`.

    `denied` marks a value that is said not to be meant ("not 500"), `by_name` one that no
    entity marks: a categorical slot's own value, word for word.
    """

    value: Any
    slots: tuple[str, ...]
    start: int = 0
    end: int = 0
    denied: bool = False
    by_name: bool = False


def form_slots(tracker: Tracker, domain: Domain) -> list[Slot]:
    """The slots that the active form may ask for, those that only its validation adds included."""
    form = domain.forms.get(tracker.active_loop or "")
    if form is None:
        return []
    names = dict.fromkeys(form.required_slots)
    for slot in domain.slots.values():
        if any(c.active_loop == form.name for m in slot.mappings for c in m.conditions):
            names[slot.name] = None
    if asked := tracker.slot(REQUESTED_SLOT):
        names[str(asked)] = None
    found = (domain.slots.get(name) for name in names if name not in BUILTIN_SLOTS)
    return [slot for slot in found if slot is not None]


def names_form(text: str, tracker: Tracker) -> bool:
    """Whether a text has a word of the active form's name or of the intent that opened it."""
    trigger = (tracker.loop.trigger or {}).get("intent") if tracker.loop else None
    named = f"{tracker.active_loop}_{(trigger or {}).get('name')}".casefold()
    said = {word[:_STEM] for word in re.findall(r"\w+", text.casefold())}
    return any(
        len(word) >= _STEM and word not in _FORM_WORDS and word[:_STEM] in said
        for word in re.split(r"[\W_]+", named)
    )


def mentions(
    tracker: Tracker, domain: Domain, marks: Marks, slots: Sequence[Slot] | None = None
) -> list[Mention]:
    """What the latest message names for slots (the active form's), in the message's order."""
    message = tracker.latest_message
    if message is None:
        return []
    text = message.text or ""
    slots = form_slots(tracker, domain) if slots is None else slots
    found = [m for entity in message.entities for m in _of_entity(entity, text, slots, domain)]
    found += _named_values(text, slots, found)
    found += _denied_numbers(text, slots, found, tracker, marks)
    marked = _marked(found, text, marks)
    missed = _missed_numbers(marked, text)
    return _marked([*found, *missed], text, marks) if missed else marked


def _marked(found: Sequence[Mention], text: str, marks: Marks) -> list[Mention]:
    """The mentions in order, those marked that are denied."""
    marked: list[Mention] = []
    last_end = 0
    for mention in sorted(found, key=lambda m: (m.start, m.end)):
        before = text[last_end : mention.start] if mention.start >= last_end else ""
        denied = mention.denied or marks.denies(before)
        marked += _split(mention._replace(denied=denied), text)
        last_end = max(last_end, mention.end)
    return marked


def _denied_numbers(
    text: str, slots: Sequence[Slot], found: Sequence[Mention], tracker: Tracker, marks: Marks
) -> list[Mention]:
    """Denied numbers that no entity marks ("not 500, 50"): of the only slot that holds one."""
    if text.lstrip().startswith("/"):
        return []
    read = [s for s in slots if any(m.type == "from_entity" for m in s.mappings)]
    holding = [s.name for s in read if _numbers(tracker.slot(s.name))]
    denied = [
        Mention(match.group().rstrip(".,'"), tuple(holding), match.start(), match.end())
        for match in _NUMBER.finditer(text)
        if all(match.end() <= m.start or m.end <= match.start() for m in found)
        and marks.denies(text[: match.start()])
    ]
    return denied if len(holding) == 1 and len(denied) == 1 else []


def _missed_numbers(marked: Sequence[Mention], text: str) -> list[Mention]:
    """Numbers that no entity marks beside a denied one ("50 not 500"): they stand in its place."""
    denied = next((m for m in marked if m.denied and _NUMBER.search(str(m.value))), None)
    if denied is None or any(set(m.slots) & set(denied.slots) for m in marked if not m.denied):
        return []
    free = [
        Mention(match.group().rstrip(".,'"), denied.slots, match.start(), match.end())
        for match in _NUMBER.finditer(text)
        if all(match.end() <= m.start or m.end <= match.start() for m in marked)
    ]
    return free if len(free) == 1 else []


def same_value(a: Any, b: Any) -> bool:
    """Whether two values mean the same to a person: equal numbers, or one word in the other.

    >>> same_value("€1,500.00", 1500), same_value("savings", "Savings account")
    (True, True)
    >>> same_value("50", "500")
    False
    """
    if a == b:
        return True
    numbers = _numbers(a), _numbers(b)
    if any(numbers):
        return numbers[0] == numbers[1]
    short, long = sorted((" ".join(str(v).casefold().split()) for v in (a, b)), key=len)
    return bool(short) and re.search(rf"(?<!\w){re.escape(short)}(?!\w)", long) is not None


def _numbers(value: Any) -> list[float]:
    return [n for found in _NUMBER.findall(str(value)) if (n := _as_number(found)) is not None]


def _as_number(digits: str) -> float | None:
    """The number that digits stand for; the last mark with one or two digits is decimal."""
    match = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", digits.rstrip(".,'"))
    whole = re.sub(r"\D", "", match.group(1)) if match else ""
    return float(f"{whole}.{match.group(2) or 0}") if match and whole else None


def _of_entity(
    entity: Mapping[str, Any], text: str, slots: Sequence[Slot], domain: Domain
) -> Iterator[Mention]:
    """An entity as a mention, if it can mean a slot of the form at all."""
    exact = tuple(s.name for s in slots if any(_takes(m, entity, domain) for m in s.mappings))
    loose = tuple(
        s.name for s in slots if any(_takes(m, entity, domain, role=False) for m in s.mappings)
    )
    if (names := exact or loose) and entity.get("value") is not None:
        start, end = int(entity.get("start") or 0), int(entity.get("end") or 0)
        # A payload's entities stand in no words of the message.
        placed = not text.lstrip().startswith("/") and 0 <= start < end <= len(text)
        yield Mention(entity["value"], names, *((start, end) if placed else (0, 0)))


def _takes(
    mapping: SlotMapping, entity: Mapping[str, Any], domain: Domain, *, role: bool = True
) -> bool:
    """Whether a mapping reads such an entity, whatever is asked for and meant just now."""
    if mapping.type != "from_entity" or mapping.entity != entity.get("entity"):
        return False
    if not role:
        return True
    wanted = (mapping.role, mapping.group)
    return wanted == (entity.get("role"), entity.get("group")) and mapping.entity in domain.entities


def _named_values(text: str, slots: Sequence[Slot], found: Sequence[Mention]) -> list[Mention]:
    """The values of categorical slots that the message names word for word."""
    named = []
    for slot in slots:
        for value in slot.values if slot.type == "categorical" else ():
            for match in re.finditer(rf"(?<!\w){re.escape(str(value))}(?!\w)", text, re.IGNORECASE):
                start, end = match.span()
                if all(end <= m.start or m.end <= start for m in found):
                    named.append(Mention(value, (slot.name,), start, end, by_name=True))
    return named


def _split(mention: Mention, text: str) -> list[Mention]:
    """A denied span that holds two values, as in "not 50, 70", denies the first only."""
    words = text[mention.start : mention.end]
    cut = _PARTS.search(words)
    if not mention.denied or cut is None or mention.value != words:
        return [mention]
    first = mention._replace(value=words[: cut.start()], end=mention.start + cut.start())
    rest = mention._replace(value=words[cut.end() :], start=mention.start + cut.end(), denied=False)
    return [first, rest]


def other_clauses(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The clauses of a text (between commas, semicolons, lines) that are not about the spans.

    A clause is about spans if it has at most two words beside them.

    >>> other_clauses("Amazon, 30 euros", [(8, 10)])
    'Amazon'
    """
    kept, start = [], 0
    for end in [*(m.end() for m in _PARTS.finditer(text)), len(text)]:
        inside = [(s, e) for s, e in spans if s < end and e > start]
        rest = text[start:end]
        for s, e in sorted(inside, reverse=True):
            rest = rest[: max(s - start, 0)] + " " + rest[e - start :]
        if not inside or len(re.findall(r"\w+", rest)) > _WORDS_BESIDE:
            kept.append(text[start:end])
        start = end
    return "".join(kept).strip(" \t\n,;")
