"""A correction: what somebody says an answer should have been, and what became of it."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from agent.project.types import EntityAnnotation
from agent.turn import new_id, now
from knowledge.errors import InputError

Kind = Literal["intent", "entity", "answer", "thumbs"]
Source = Literal["user", "ops"]
State = Literal["pending", "accepted", "rejected"]
Trust = Literal["reviewer", "signed_in", "anonymous"]

STATES: tuple[State, ...] = ("pending", "accepted", "rejected")
KINDS: tuple[Kind, ...] = ("intent", "entity", "answer", "thumbs")
MAX_TEXT = 20_000
MAX_ANSWER = 20_000
INTENT_NAME = re.compile(r"[^\s/{}()\[\]\"'<>:]{1,120}(/[^\s/{}()\[\]\"'<>]{1,120})?")
CORRECTION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
LABEL_NAME = re.compile(r"[^\s{}()\[\]\"'<>,#]{1,120}")

# Undo is a way back to pending; a change of mind needs no detour.
TRANSITIONS: Mapping[State, tuple[State, ...]] = {
    "pending": ("accepted", "rejected"),
    "accepted": ("pending", "rejected"),
    "rejected": ("pending", "accepted"),
}


class QuotaError(InputError):
    """Somebody has given as much feedback today as is taken from one person."""

    def __init__(self, quota: int) -> None:
        tomorrow = now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        self.retry_after_s = int((tomorrow - now()).total_seconds()) + 1
        super().__init__(
            f"thank you: {quota} pieces of feedback a day are taken; come back tomorrow"
        )


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the agent had understood; `confidence` is in [0, 1]."""

    intent: str | None = None
    confidence: float | None = None
    entities: tuple[EntityAnnotation, ...] = ()
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One step in a correction's life."""

    state: State
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a message should have meant or been answered; immutable, each change is a new value.

    `intent` None leaves the intent as predicted; `entities` None leaves the entities, an
    empty tuple says there are none; `answer` is what to say to this text; `labels` are those of
    the model's further heads (`{"sentiment": "negative"}`). A thumb (`kind`
    `thumbs`) has `liked` and perhaps a `reason`. `drawn` marks a message that a random draw
    put before a reviewer: it stands for the traffic and only judges models. `history` starts
    with the submission and its length is the revision. `entry` is the id that its present
    state has in the store's log of changes, None where it does not stand there.
    """

    text: str
    kind: Kind
    author: str
    id: str = field(default_factory=new_id)
    turn_id: str | None = None
    conversation_id: str | None = None
    predicted: Prediction = Prediction()
    intent: str | None = None
    entities: tuple[EntityAnnotation, ...] | None = None
    answer: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    liked: bool | None = None
    reason: str = ""
    source: Source = "user"
    trust: Trust = "anonymous"
    state: State = "pending"
    reviewer: str | None = None
    drawn: bool = False
    created_at: datetime = field(default_factory=now)
    history: tuple[Change, ...] = ()
    entry: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.history:
            first = Change(self.state, self.reviewer or self.author, self.created_at)
            object.__setattr__(self, "history", (first,))

    @property
    def revision(self) -> int:
        """How many states it has had, the first included; at least 1."""
        return len(self.history)

    @property
    def decided(self) -> tuple[int, int, str]:
        """Sorts by when corrections came into their present states: the last of a text holds.

        The store's log tells, whose order outlives a clock that is set back, else the clock.
        """
        at_ms, _, place = (self.entry or "").partition("-")
        if at_ms and place:
            return int(at_ms), int(place), self.id
        at_us = round(self.history[-1].at.timestamp() * 1_000_000)
        return at_us // 1000, at_us % 1000, self.id

    @property
    def content(self) -> str:
        """A digest of what it teaches: it changes when a reviewer amends it."""
        spans = [
            (e.start, e.end, e.label, str(e.value), e.role, e.group) for e in self.final_entities
        ]
        told = [self.text, self.final_intent, spans, sorted(self.labels.items())]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    @property
    def final_intent(self) -> str | None:
        """The intent that holds: the corrected one, else the predicted one."""
        return self.intent if self.intent is not None else self.predicted.intent

    @property
    def final_entities(self) -> tuple[EntityAnnotation, ...]:
        """The entities that hold: the corrected ones, else the predicted ones."""
        return self.entities if self.entities is not None else self.predicted.entities

    def moved(
        self, state: State, by: str, *, reason: str = "", at: datetime | None = None
    ) -> "Correction":
        """The correction in another state; `by` becomes its reviewer, nobody's on undo.

        Raises:
            InputError: that state cannot follow the present one.
        """
        if state not in TRANSITIONS.get(self.state, ()):
            allowed = " or ".join(TRANSITIONS[self.state])
            raise InputError(
                f"correction {self.id} is {self.state} and cannot become {state!r}: only {allowed}"
            )
        change = Change(state, by, at or now(), reason)
        reviewer = None if state == "pending" else by
        history = (*self.history, change)
        return replace(self, state=state, reviewer=reviewer, history=history, entry=None)

    def after(self, older: "Correction") -> "Correction":
        """This correction with what an older one of the same text says where this says nothing.

        Entities are taken over only if both texts are written alike: they would not fit else.
        """
        entities = self.entities
        if entities is None and self.text == older.text:
            entities = older.entities
        return replace(
            self,
            intent=older.intent if self.intent is None else self.intent,
            entities=entities,
            labels={**older.labels, **self.labels},
        )

    def amended(
        self,
        *,
        intent: str | None = None,
        entities: tuple[EntityAnnotation, ...] | None = None,
        answer: str | None = None,
    ) -> "Correction":
        """The correction with what a reviewer put right in it; None leaves a part as it is."""
        return replace(
            self,
            intent=self.intent if intent is None else intent,
            entities=self.entities if entities is None else entities,
            answer=self.answer if answer is None else answer,
        )


def check(correction: Correction) -> Correction:
    """The correction itself if it is sound.

    Raises:
        InputError: names the first thing that is wrong, with its value.
    """
    if correction.kind not in KINDS:
        raise InputError(f"kind {correction.kind!r} is unknown: use one of {', '.join(KINDS)}")
    if not CORRECTION_ID.fullmatch(correction.id):
        raise InputError(
            f"{correction.id[:80]!r} cannot be a correction's id: use up to 64 letters, digits and "
            "- _ . :"
        )
    if len(correction.text) > MAX_TEXT:
        raise InputError(
            f"the text has {len(correction.text)} characters, at most {MAX_TEXT} can be corrected"
        )
    if correction.intent is not None:
        check_intent(correction.intent)
    if correction.entities is not None:
        check_entities(correction.entities, correction.text)
    for head, label in correction.labels.items():
        if not (_is_label(head) and _is_label(label)):
            raise InputError(f"{head[:40]}={label[:40]!r} cannot be a label of a further head")
    _check_content(correction)
    return correction


def check_intent(name: str) -> None:
    """Refuse what cannot be an intent's name (`name`, or `name/key` of a retrieval intent).

    Raises:
        InputError: it is empty, has blanks or markup, or starts with `/`.
    """
    if not name.strip():
        raise InputError("the intent is empty: name one, or leave it out")
    if name == "nlu_fallback":
        raise InputError("nlu_fallback is no intent to correct to: use oos for what fits none")
    if not (INTENT_NAME.fullmatch(name) and _is_visible(name)):
        raise InputError(
            f"{name[:80]!r} cannot be an intent's name: use letters, digits, _ - . + and at most "
            "one / between a retrieval intent and its key"
        )


def check_entities(entities: Iterable[EntityAnnotation], text: str) -> None:
    """Refuse spans that lie outside the text, are empty or overlap, and labels with markup.

    Raises:
        InputError: names the span.
    """
    entities = tuple(entities)
    for entity in entities:
        _check_entity(entity)
        if not 0 <= entity.start < entity.end <= len(text):
            raise InputError(
                f"entity {entity.label!r} has the span {entity.start}:{entity.end}, "
                f"but the text has {len(text)} characters (start < end, end exclusive)"
            )
    check_apart(entities)


def check_apart(entities: Iterable[EntityAnnotation]) -> None:
    """Refuse spans that overlap.

    Raises:
        InputError: names the second one.
    """
    end = 0
    for entity in sorted(entities, key=lambda one: (one.start, one.end)):
        if entity.start < end:
            raise InputError(
                f"entity {entity.label!r} at {entity.start}:{entity.end} overlaps another one"
            )
        end = entity.end


def _check_entity(entity: EntityAnnotation) -> None:
    """Refuse names with markup or invisible characters, and values that are too long."""
    if not _is_label(entity.label):
        raise InputError(f"{entity.label[:80]!r} cannot be an entity's label")
    for part, name in (("role", entity.role), ("group", entity.group)):
        if name and not _is_label(name):
            raise InputError(f"{name[:80]!r} cannot be the {part} of an entity")
    value = entity.value
    length = len(value if isinstance(value, str) else json.dumps(value, default=str))
    if length > MAX_TEXT:
        raise InputError(
            f"the value of entity {entity.label!r} has {length} characters, "
            f"at most {MAX_TEXT} are kept"
        )


def _is_label(name: str) -> bool:
    return LABEL_NAME.fullmatch(name) is not None and _is_visible(name)


def _is_visible(name: str) -> bool:
    """Whether a name has no control characters; joiners belong to some scripts' words."""
    return name.replace("\u200c", "").replace("\u200d", "").isprintable()


def _check_content(correction: Correction) -> None:
    """Each kind needs its own content."""
    if correction.kind == "thumbs":
        if correction.liked is None:
            raise InputError("nothing is corrected: give an intent, entities, an answer or a thumb")
        return
    if not correction.text.strip():
        raise InputError("the text is empty: there is nothing to correct")
    if correction.answer is not None and not correction.answer.strip():
        raise InputError("the answer is empty: write one, or leave it out")
    if correction.answer is not None and len(correction.answer) > MAX_ANSWER:
        raise InputError(
            f"the answer has {len(correction.answer)} characters, at most {MAX_ANSWER} are kept"
        )
    parts = (correction.intent, correction.entities, correction.answer)
    if all(part is None for part in parts) and not correction.labels:
        raise InputError("nothing is corrected: give an intent, entities or an answer")
