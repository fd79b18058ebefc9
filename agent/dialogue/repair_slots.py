"""Which slots of the active form a message fills, corrects and empties: Rasa's fills, repaired."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from agent.dialogue.events import Event, SlotSet
from agent.dialogue.extraction import extract_slots, filling_mapping
from agent.dialogue.loops import EMPTIED
from agent.dialogue.mentions import Mention, form_slots, mentions, other_clauses, same_value
from agent.dialogue.names import INTENT_NLU_FALLBACK, REQUESTED_SLOT
from agent.dialogue.repair_words import Marks
from agent.dialogue.situation import with_parse_data
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain, SlotMapping

_NEARLY = 0.5
"""The share of the best intent's confidence from which another one is nearly as likely."""


class Taken(NamedTuple):
    """What counts of a message: the extraction's events, repaired."""

    events: tuple[Event, ...]
    corrected: tuple[str, ...] = ()


def repaired(events: Sequence[Event], tracker: Tracker, domain: Domain, marks: Marks) -> Taken:
    """The extraction's events with what the message corrects, for a message to the form.

    Denied values are dropped ("50, not 500"), named values go to the slots of the form that
    they can only mean, a slot whose value is denied without another one is emptied, and the
    answer to a yes-or-no question that came with a correction is taken back, so that the
    form asks again.

    Args:
        events: what `action_extract_slots` gave for the latest message.
        tracker: the conversation with that message, without the events.
        domain: the assistant's domain.
        marks: the marks of the assistant's language.
    """
    return _Reading(events, tracker, domain, marks).taken()


def near_answer(tracker: Tracker, domain: Domain) -> SlotSet | None:
    """The value that the message names for the slot asked for, kept out by its intent alone.

    A mapping may want an intent (`intent: inform`). Where such a one is nearly as likely as the
    best, the question that was asked speaks for it.
    """
    slot, message = domain.slots.get(str(tracker.slot(REQUESTED_SLOT))), tracker.latest_message
    if slot is None or message is None or not any(m.intent or m.not_intent for m in slot.mappings):
        return None
    ranking = message.parse_data.get("intent_ranking") or ()
    shares = {str(one["name"]): float(one["confidence"]) for one in ranking}
    likely = _NEARLY * max((s for n, s in shares.items() if n != INTENT_NLU_FALLBACK), default=1.0)
    for name, share in shares.items():
        if share < likely or name in (message.intent, INTENT_NLU_FALLBACK):
            continue
        trial = tracker.copy()
        trial.append(with_parse_data(message, intent={"name": name, "confidence": share}))
        mapping = filling_mapping(slot, trial, domain)
        if mapping is not None and mapping.type == "from_entity":
            return next(e for e in extract_slots(trial, domain) if e.name == slot.name)
    return None


def without_denied(
    events: Sequence[Event], tracker: Tracker, domain: Domain, marks: Marks
) -> list[Event]:
    """The extraction's events for a message outside a form: what it denies fills nothing.

    Of "send it to Ana, not to Ben" Ana stands; arguments as of `repaired`.
    """
    filled = [e.name for e in events if isinstance(e, SlotSet) and e.name in domain.slots]
    found = mentions(tracker, domain, marks, [domain.slots[name] for name in filled])
    kept: list[Event] = []
    for event in events:
        if not isinstance(event, SlotSet) or not any(_is_of(event, m) for m in found if m.denied):
            kept.append(event)
            continue
        stated = [m.value for m in found if not m.denied and event.name in m.slots]
        kept += [SlotSet(name=event.name, value=stated[-1])] if stated else []
    return kept


def _is_of(event: SlotSet, mention: Mention) -> bool:
    return event.name in mention.slots and event.value == mention.value


class _Reading:
    def __init__(
        self, events: Sequence[Event], tracker: Tracker, domain: Domain, marks: Marks
    ) -> None:
        self._tracker, self._marks, self._domain = tracker, marks, domain
        self._given = events
        self._fills = {e.name: e.value for e in events if isinstance(e, SlotSet)}
        self._slots = {slot.name: slot for slot in form_slots(tracker, domain)}
        self._asked = str(tracker.slot(REQUESTED_SLOT) or "")
        self._mapping = self._asking_mapping()
        self._text = (tracker.latest_message.text if tracker.latest_message else "") or ""
        found = mentions(tracker, domain, marks)
        self._stated = [m for m in found if not m.denied]
        self._denied = [m for m in found if m.denied]
        self._set: dict[str, Any] = {}

    def _asking_mapping(self) -> SlotMapping | None:
        """The mapping through which the message answers the question, if it does."""
        slot = self._slots.get(self._asked)
        if slot is None or self._asked not in self._fills:
            return None
        return filling_mapping(slot, self._tracker, self._domain)

    def taken(self) -> Taken:
        self._drop_denied()
        for mention in self._stated:
            self._assign(mention)
        emptied = self._emptied()
        changed = [n for n in self._fills if self._is_change(n)]
        changed += [n for n in emptied if n not in changed]
        if changed and self._takes_answer_back():
            self._fills.pop(self._asked, None)
        return Taken(tuple(self._events(emptied)), tuple(changed))

    def _drop_denied(self) -> None:
        """Values that extraction took though they are denied; another that is stated stands in."""
        for name in [n for n in self._fills if n in self._slots]:
            value = self._fills[name]
            if not any(name in m.slots and self._reads(value, m.value) for m in self._denied):
                continue
            stated = [m.value for m in self._stated if name in m.slots]
            if stated and not isinstance(value, list):
                self._fills[name] = stated[-1]
            elif not stated:
                del self._fills[name]

    def _reads(self, value: Any, denied: Any) -> bool:
        """Whether a fill took a denied value; a whole message that was taken holds it."""
        if isinstance(value, list):
            return denied in value
        return bool(value == denied) or (
            isinstance(value, str) and str(denied) in value != self._text
        )

    def _assign(self, mention: Mention) -> None:
        """Give a stated value to the slot that it is for."""
        name = self._meant(mention)
        if name is None or name in self._set or self._is_replaced(mention, name):
            return
        if name == self._asked:
            # What extraction took stands; a payload says itself what it fills.
            if self._mapping is not None or mention.by_name or not _is_placed(mention):
                return
        elif not self._may_fill(mention, name):
            return
        elif self._fills.get(self._asked) == mention.value:
            del self._fills[self._asked]
        self._fills[name] = self._set[name] = mention.value

    def _is_replaced(self, mention: Mention, name: str) -> bool:
        """Whether a value is the slot's present one and another is named for it ("5 to 6")."""
        others = (m for m in self._stated if name in m.slots)
        return self._holds(name, mention.value) and any(
            not same_value(m.value, mention.value) for m in others
        )

    def _meant(self, mention: Mention) -> str | None:
        """The one slot that a value is for, None if that cannot be told."""
        names = mention.slots
        denied = [n for n in names if any(self._holds(n, m.value) for m in self._denied)]
        if denied:
            return denied[0]
        if self._asked in names:
            return self._asked
        filled = [n for n in names if self._tracker.slot(n) is not None]
        for choice in (names, filled):
            if len(choice) == 1:
                return choice[0]
        return None

    def _holds(self, name: str, value: Any) -> bool:
        held = self._tracker.slot(name)
        return held is not None and same_value(held, value)

    def _may_fill(self, mention: Mention, name: str) -> bool:
        """Whether a value may go to a slot that was not asked for."""
        if mention.by_name and self._tracker.slot(name) is None:
            return False
        if self._mapping is None or self._mapping.type != "from_text":
            return True
        if self._denied or self._marks.changes(self._text):
            # The message is about an earlier answer, so its text is none to this question.
            self._fills.pop(self._asked, None)
            return True
        rest = other_clauses(self._text, [(m.start, m.end) for m in self._elsewhere()])
        if self._tracker.slot(name) is not None or not rest or rest == self._text.strip(" ,;"):
            return False
        self._fills[self._asked] = rest
        return True

    def _elsewhere(self) -> list[Mention]:
        return [m for m in self._stated if _is_placed(m) and self._asked not in m.slots]

    def _emptied(self) -> list[str]:
        """The slots whose value is denied and nothing is named instead."""
        return [
            name
            for name in self._slots
            if name not in self._fills
            and any(name in m.slots and self._holds(name, m.value) for m in self._denied)
        ]

    def _is_change(self, name: str) -> bool:
        """Whether a fill changes what an earlier message said."""
        if name == self._asked or name not in self._slots:
            return False
        held = self._tracker.slot(name)
        return held is not None and not same_value(held, self._fills[name])

    def _takes_answer_back(self) -> bool:
        """Whether a yes or no that came with a correction cannot stand: the question is new."""
        if self._mapping is None or self._mapping.type != "from_intent":
            return False
        form = self._domain.forms[str(self._tracker.active_loop)]
        others = (n for n in form.required_slots if n != self._asked)
        last = all(self._tracker.slot(n) is not None or n in self._fills for n in others)
        return last or not self._mapping.value or bool(self._denied)

    def _events(self, emptied: Sequence[str]) -> list[Event]:
        given = {e.name: e for e in self._given if isinstance(e, SlotSet)}
        events: list[Event] = [e for e in self._given if not isinstance(e, SlotSet)]
        for name, value in self._fills.items():
            known = given.get(name)
            same = known is not None and known.value is value
            events.append(known if known is not None and same else SlotSet(name=name, value=value))
        return events + [
            SlotSet(name=name, value=None, metadata={EMPTIED: True}) for name in emptied
        ]


def _is_placed(mention: Mention) -> bool:
    return mention.end > mention.start
