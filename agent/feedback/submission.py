"""What somebody says about a turn, before it is a correction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.feedback.correction import Correction, Kind, Trust
from agent.project.types import EntityAnnotation
from agent.turn import new_id


@dataclass(frozen=True, slots=True)
class Said:
    """What should have been; None leaves a part as it was predicted.

    `entities` are all that the message has, `answer` is what to say to it, `labels` are those of
    further heads, `liked` a thumb up or down, `reason` why, in the author's words.
    """

    intent: str | None = None
    entities: Sequence[EntityAnnotation] | None = None
    answer: str | None = None
    liked: bool | None = None
    reason: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What it is about, by its weightiest part."""
        if self.intent is not None or self.labels:
            return "intent"
        if self.entities is not None:
            return "entity"
        return "answer" if self.answer is not None else "thumbs"


@dataclass(frozen=True, slots=True)
class Author:
    """Who says so, and how far they are known; a reviewer's word needs no review."""

    name: str = "anonymous"
    trust: Trust = "anonymous"


def draft(said: Said, author: Author, *, text: str, correction_id: str | None) -> Correction:
    """A correction of a text, not yet checked, masked or tied to its turn."""
    reviewed = author.trust == "reviewer"
    return Correction(
        id=correction_id or new_id(),
        text=text,
        kind=said.kind,
        author=author.name,
        intent=said.intent,
        entities=None if said.entities is None else tuple(said.entities),
        answer=said.answer,
        labels=said.labels,
        liked=said.liked,
        reason=said.reason,
        source="ops" if reviewed else "user",
        trust=author.trust,
        state="accepted" if reviewed else "pending",
        reviewer=author.name if reviewed else None,
    )


def valued(correction: Correction) -> Correction:
    """The correction whose entities without a value take the text that they mark."""
    if correction.entities is None:
        return correction
    text = correction.text
    entities = tuple(
        replace(e, value=text[e.start : e.end]) if e.value is None else e
        for e in correction.entities
    )
    return replace(correction, entities=entities)
