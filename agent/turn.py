"""The values of one turn: Message, Understanding, Decision, Reply, Turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from knowledge.passage import ScoredPassage

FALLBACK_INTENT = "nlu_fallback"
OOS_INTENT = "oos"
DOORS = "doors"
"""In a reply's metadata: its buttons lead on from anywhere, they guess nothing."""


def new_id() -> str:
    """A fresh random id (32 hexadecimal digits)."""
    return uuid4().hex


def now() -> datetime:
    """The present instant, UTC-aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """What a user sent. `received_at` is UTC-aware; `metadata` comes from the channel."""

    id: str
    conversation_id: str
    text: str
    channel: str = "cmdline"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    received_at: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled span: `text` is the message's characters `[start:end]`, end exclusive.

    `value` is the normalized value (text unless a synonym or normalizer applied);
    `confidence` is in [0, 1], None for deterministic extractors; `extractor` names its source;
    `additional_info` is what Duckling says of a value (unit, grain, interval).
    """

    label: str
    start: int
    end: int
    text: str
    value: Any
    role: str | None = None
    group: str | None = None
    confidence: float | None = None
    extractor: str | None = None
    additional_info: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class IntentScore:
    """An intent with its calibrated probability in [0, 1]."""

    intent: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A remembered correction that took part in an understanding.

    `similarity` is a cosine in [-1, 1]; `exact` marks an equal (normalized) text;
    `weight` in [0, 1] is its share in the mixed distribution.
    """

    correction_id: str
    text: str
    intent: str | None
    similarity: float
    exact: bool = False
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a language model proposes that a message means; `intent` None: nothing that is known.

    `trust` in [0, 1] is how often reviewers agreed with such proposals; `used` says whether
    that was enough to decide; `prompt` names the template and its version.
    """

    intent: str | None
    entities: tuple[Entity, ...] = ()
    trust: float = 0.0
    used: bool = False
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message means.

    `ranking` is best first and sums to about 1 (it may be headed by `nlu_fallback`);
    `in_scope` is in [0, 1], higher = more in scope; `source` is `model`, `correction`,
    `proposal` or `payload` (a `/intent` message); `responses` holds, for each retrieval intent
    (and `default`), its ranked `intent/key`; `heads` the rankings of further heads;
    `shadow` is what a model on trial makes of the message;
    `answer` is a corrected answer ("to this, say that") that replaces the dialogue's.
    """

    text: str
    ranking: tuple[IntentScore, ...] = ()
    entities: tuple[Entity, ...] = ()
    in_scope: float = 1.0
    source: str = "model"
    model_version: str | None = None
    responses: Mapping[str, tuple[IntentScore, ...]] = field(default_factory=dict)
    heads: Mapping[str, tuple[IntentScore, ...]] = field(default_factory=dict)
    neighbours: tuple[Neighbour, ...] = ()
    answer: str | None = None
    shadow: IntentScore | None = None
    proposal: Proposal | None = None

    @property
    def intent(self) -> IntentScore | None:
        """The best intent, None when nothing was ranked (an empty message)."""
        return self.ranking[0] if self.ranking else None


@dataclass(frozen=True, slots=True)
class Decision:
    """The next action, who chose it and why; `confidence` is in [0, 1].

    `hide_rule_turn` goes into the action's event: only rules know this turn, so policies
    that learn from stories do not see it. `loop_interrupted`: the active loop comes back
    from an unhappy path and must not look at the message. `from_text`: the message's text
    was what counted, not its intent. `rules` names the project's rules that it rests on.
    """

    action: str
    policy: str
    confidence: float = 1.0
    reason: str = ""
    hide_rule_turn: bool = False
    loop_interrupted: bool = False
    from_text: bool = False
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Button:
    """A quick reply: its title is shown, its payload is sent.

    `extra` holds further keys of the project's button (such as `type`, `url`).
    """

    title: str
    payload: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """One message to the user; `passages` are its sources."""

    recipient: str
    text: str | None = None
    buttons: tuple[Button, ...] = ()
    image: str | None = None
    attachment: Any = None
    custom: Any = None
    elements: tuple[Any, ...] = ()
    passages: tuple[ScoredPassage, ...] = ()
    turn_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message with all that followed from it; `took_ms` is wall time in milliseconds.

    `stages_ms` splits it by stage (`understand`, `decide`, `act`, `retrieve`, `log`);
    `prompts` maps each template that took part to its content hash.
    """

    id: str
    message: Message
    understanding: Understanding
    decisions: tuple[Decision, ...]
    replies: tuple[Reply, ...]
    model_version: str | None
    took_ms: float
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    passages: Sequence[ScoredPassage] = ()
