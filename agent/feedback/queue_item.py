"""What waits for a reviewer: a message, why it is worth a look, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from agent.errors import StoreError
from agent.feedback.correction import Correction, Prediction, State, Trust
from agent.project.types import EntityAnnotation
from agent.storage.codec import decode, encode
from agent.turn import IntentScore, Neighbour, now

ItemState = Literal["open", "disputed", "done"]
VerdictKind = Literal["right", "correct", "reject", "skip"]
ReasonKind = Literal[
    "unsure",
    "scope",
    "disagreement",
    "complaint",
    "handoff",
    "proposal",
    "frequent",
    "drawn",
    "dispute",
    "second",
]
VERDICTS: tuple[VerdictKind, ...] = ("right", "correct", "reject", "skip")
LANGUAGE_MODEL = "language model"
"""Who proposed what a language model did, in an author's place."""
KEPT = 20
_SEARCHED = 8_000  # characters of an item that a search looks at


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message (or one piece of feedback on a text) that was folded into an item."""

    text: str
    turn_id: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What one pending correction asks for."""

    correction_id: str
    text: str
    author: str
    trust: Trust
    intent: str | None = None
    entities: tuple[EntityAnnotation, ...] | None = None
    answer: str | None = None
    liked: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a user did (`kind`, see `signals.KINDS`), once a conversation."""

    kind: str
    trust: Trust
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is worth a look: `weight` is its part of the score, `note` a line for people."""

    kind: ReasonKind
    weight: float
    note: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was asked for, equal wishes folded: `votes` authors, the best `trust` of them.

    `by_model`: a language model is one of the authors.
    """

    intent: str | None
    entities: tuple[EntityAnnotation, ...] | None
    answer: str | None
    liked: bool | None
    reason: str
    votes: int
    trust: Trust
    correction_ids: tuple[str, ...]
    by_model: bool = False

    @property
    def authors(self) -> str:
        """Who asked, for people.

        >>> Proposal("greet", None, None, None, "", 3, "anonymous", (), by_model=True).authors
        '2 people and the language model'
        """
        people = self.votes - self.by_model
        said = f"{people} {'person' if people == 1 else 'people'}" if people else ""
        return " and ".join(filter(None, (said, "the language model" if self.by_model else "")))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reviewer says about an item.

    `right`: the prediction was right. `correct`: `intent`, `entities` (in the item's text)
    or `answer` hold instead. `reject`: nothing is to be learned here. `skip`: somebody else
    may judge. `new_intent` allows an intent that the assistant does not have yet.
    """

    kind: VerdictKind
    intent: str | None = None
    entities: tuple[EntityAnnotation, ...] | None = None
    answer: str | None = None
    reason: str = ""
    new_intent: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement that took effect.

    `corrections` are the ids that it wrote or moved; `before` says in which state each was
    (None: it was made by the verdict), so that an undo knows where to go back to.
    """

    by: str
    at: datetime
    kind: VerdictKind
    intent: str | None = None
    entities: tuple[EntityAnnotation, ...] | None = None
    answer: str | None = None
    reason: str = ""
    corrections: tuple[str, ...] = ()
    before: tuple[State | None, ...] = ()

    @property
    def finding(self) -> tuple[str | None, ...]:
        """What the message is, accepted or corrected: equal for reviewers who say the same."""
        if self.kind == "reject":
            return ("reject",)
        return ("is", self.intent) if self.intent is not None else ("says", self.answer)


@dataclass(frozen=True, slots=True)
class Held:
    """Who looks at an item, until when (UTC)."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """An accepted correction or a training example that says otherwise about such a text."""

    text: str
    intent: str
    source: Literal["correction", "example"]
    correction_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A message that waits for a reviewer, with its near-duplicates folded in.

    `score` >= 0 is its worth, higher first; `reasons` explain it, heaviest first. `count` is
    how many messages it stands for, `sightings` the latest of them, `in_scope` is in [0, 1].
    `drawn` marks one that a random draw put here: such items measure the traffic. At
    `reopened_at` users complained again of what was done: it may be judged anew by everybody.
    """

    id: str
    text: str
    predicted: Prediction = field(default_factory=Prediction)
    alternatives: tuple[IntentScore, ...] = ()
    nearest: tuple[Neighbour, ...] = ()
    in_scope: float | None = None
    score: float = 0.0
    reasons: tuple[Reason, ...] = ()
    count: int = 0
    sightings: tuple[Sighting, ...] = ()
    asked: tuple[Asked, ...] = ()
    noticed: tuple[Noticed, ...] = ()
    drawn: bool = False
    state: ItemState = "open"
    verdicts: tuple[Verdict, ...] = ()
    first_at: datetime = field(default_factory=now)
    last_at: datetime = field(default_factory=now)
    revision: int = 0
    vector: str = ""
    held: Held | None = None
    conflicts: tuple[Conflict, ...] = ()
    reopened_at: datetime | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The different wordings, its own text first."""
        return tuple(dict.fromkeys((self.text, *(s.text for s in self.sightings))))

    @property
    def turn_ids(self) -> tuple[str, ...]:
        """The turns it was seen in, latest first."""
        return tuple(dict.fromkeys(s.turn_id for s in self.sightings if s.turn_id))

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What users asked for, most votes first."""
        return fold_wishes(self.asked)

    def without(self, conversation_id: str) -> "QueueItem | None":
        """The item without what a conversation brought to it, None if nothing is left."""
        sightings = tuple(s for s in self.sightings if s.conversation_id != conversation_id)
        if not sightings:
            return None
        texts = [s.text for s in sightings]
        return replace(
            self,
            text=self.text if self.text in texts else texts[-1],
            sightings=sightings,
            asked=tuple(a for a in self.asked if a.author != conversation_id and a.text in texts),
            noticed=tuple(n for n in self.noticed if n.conversation_id != conversation_id),
            predicted=replace(self.predicted, entities=()),
            count=max(1, self.count - 1),
        )

    def judged_by(self, reviewer: str) -> bool:
        """Whether this reviewer has said something about it (or passed)."""
        return any(verdict.by == reviewer for verdict in self.verdicts if self._counts(verdict))

    @property
    def opinions(self) -> tuple[Verdict, ...]:
        """The verdicts that are no skips, those since it was reopened."""
        return tuple(v for v in self.verdicts if v.kind != "skip" and self._counts(v))

    @property
    def overtaken(self) -> tuple[Verdict, ...]:
        """What was said before it was reopened; it is in force until the item is judged anew."""
        return tuple(v for v in self.verdicts if v.kind != "skip" and not self._counts(v))

    def _counts(self, verdict: Verdict) -> bool:
        return self.reopened_at is None or verdict.at >= self.reopened_at


_TRUST: Mapping[Trust, int] = {"anonymous": 0, "signed_in": 1, "reviewer": 2}


def fold_wishes(asked: tuple[Asked, ...]) -> tuple[Proposal, ...]:
    """Equal wishes as one proposal each; an author counts once in it."""
    groups: dict[Any, list[Asked]] = {}
    for one in asked:
        groups.setdefault((one.intent, one.entities, one.answer, one.liked), []).append(one)
    proposals = [_proposal(members) for members in groups.values()]
    return tuple(sorted(proposals, key=lambda p: (-_TRUST[p.trust], -p.votes)))


def _proposal(members: list[Asked]) -> Proposal:
    first = members[0]
    return Proposal(
        first.intent,
        first.entities,
        first.answer,
        first.liked,
        "; ".join(dict.fromkeys(m.reason for m in members if m.reason))[:500],
        len({m.author for m in members}),
        max((m.trust for m in members), key=lambda trust: _TRUST[trust]),
        tuple(m.correction_id for m in members),
        by_model=any(m.author == LANGUAGE_MODEL for m in members),
    )


def asked_by(correction: Correction) -> Asked:
    """What a correction asks for; anonymous authors are told apart by their conversations."""
    author = correction.author
    if correction.trust == "anonymous":
        author = correction.conversation_id or author
    return Asked(
        correction.id,
        correction.text,
        author,
        correction.trust,
        correction.intent,
        correction.entities,
        correction.answer,
        correction.liked,
        correction.reason,
    )


def words_of(item: QueueItem) -> str:
    """What an item can be found by: its wordings, its intents, and the `mark` of each reason."""
    intents = (item.predicted.intent, *(p.intent for p in item.proposals))
    said = "\n".join([*item.texts, *(name for name in intents if name)])[:_SEARCHED].casefold()
    marks = [mark(reason.kind) for reason in item.reasons]
    twice = [mark("twice")] if len({verdict.by for verdict in item.opinions}) > 1 else []
    return "\n".join([said, *marks, *twice])


def mark(kind: ReasonKind | Literal["twice"]) -> str:
    """A reason (or `twice`: several reviewers judged it) as a word that no message has in it."""
    return f"\x1f{kind}\x1f"


def to_json(item: QueueItem) -> str:
    """The item as stored; lease, conflicts and revision are not part of it."""
    return encode(
        _adapter().dump_python(item, mode="json", exclude={"held", "conflicts", "revision"})
    )


def from_json(text: str, revision: int) -> QueueItem:
    """The item that `to_json` wrote, of this revision.

    Raises:
        StoreError: it is damaged, or written by a newer version.
    """
    data = decode(text, "an item of the review queue")
    try:
        return replace(_adapter().validate_python(data), revision=revision)
    except ValidationError as error:
        raise StoreError(f"an item of the review queue is damaged: {text[:80]!r}") from error


@cache
def _adapter() -> TypeAdapter[QueueItem]:
    return TypeAdapter(QueueItem)
