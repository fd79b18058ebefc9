"""The parts of an assistant as frozen values: Domain, training data, stories, configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the project's files; `line` is 1-based, 0 if unknown."""

    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """A finding of the reader or the validator, shown in one line."""

    message: str
    place: Place = Place()
    key: str = ""
    level: Literal["error", "warning", "info"] = "warning"


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent; `use_entities` None means all; `title` and `description` are for people.

    `answer_titles` are those of a retrieval intent's answers, by key.
    """

    name: str
    use_entities: tuple[str, ...] | None = None
    ignore_entities: tuple[str, ...] = ()
    is_retrieval: bool = False
    title: str | None = None
    description: str | None = None
    answer_titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityType:
    """An entity label with its roles and groups; `description` is for people and models."""

    name: str
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    influence_conversation: bool = True
    description: str | None = None


@dataclass(frozen=True, slots=True)
class MappingCondition:
    """A slot mapping counts only while this loop is active (and asks for this slot, if named)."""

    active_loop: str | None = None
    requested_slot: str | None = None


@dataclass(frozen=True, slots=True)
class SlotMapping:
    """How a slot is filled from a message; the keys are Rasa's."""

    type: Literal["from_entity", "from_intent", "from_trigger_intent", "from_text", "custom"]
    entity: str | None = None
    role: str | None = None
    group: str | None = None
    intent: tuple[str, ...] = ()
    not_intent: tuple[str, ...] = ()
    value: Any = None
    action: str | None = None
    conditions: tuple[MappingCondition, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot; `type` is text, bool, categorical, float, list or any."""

    name: str
    type: str
    influence_conversation: bool = True
    initial_value: Any = None
    values: tuple[Any, ...] = ()
    min_value: float = 0.0
    max_value: float = 1.0
    mappings: tuple[SlotMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A form: the slots it asks for in order; messages of `ignored_intents` fill nothing."""

    name: str
    required_slots: tuple[str, ...] = ()
    ignored_intents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseVariation:
    """One variation of a response; `conditions` are (slot, value) pairs that must all hold."""

    text: str | None = None
    image: str | None = None
    custom: Any = None
    buttons: tuple[Mapping[str, Any], ...] = ()
    button_type: str | None = None
    quick_replies: tuple[Mapping[str, Any], ...] = ()
    attachment: Any = None
    elements: tuple[Any, ...] = ()
    channel: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[tuple[str, Any], ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Session boundaries; the time is in minutes, 0 = never expires."""

    expiration_time_min: float = 60.0
    carry_over_slots: bool = True


@dataclass(frozen=True, slots=True)
class Domain:
    """The assistant's universe. `actions` are the custom (and overridden) actions by name.

    `send_domain` lists actions for which the domain is always sent. `raw` is the merged
    domain as plain JSON (what an action server receives). `places` says where a thing
    stands, by `section.name` (`slots.amount`).
    """

    intents: Mapping[str, Intent] = field(default_factory=dict)
    entities: Mapping[str, EntityType] = field(default_factory=dict)
    slots: Mapping[str, Slot] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=dict)
    responses: Mapping[str, tuple[ResponseVariation, ...]] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    e2e_actions: tuple[str, ...] = ()
    send_domain: tuple[str, ...] = ()
    session: SessionConfig = SessionConfig()
    store_entities_as_slots: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EntityAnnotation:
    """A gold span of an example: characters `[start:end]` of its text, end exclusive."""

    start: int
    end: int
    label: str
    value: Any
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled message.

    `intent` is None when only entities (or heads) are labelled; `oos` marks text outside
    every intent; a retrieval example carries `intent="faq"` and `response="faq/key"`.
    `labels` holds further heads, `weight` > 0 its share in training, `source` where it is
    from (`base`, `correction:<id>`, …), `lookalike` texts are not deduplicated here.
    """

    text: str
    intent: str | None
    entities: tuple[EntityAnnotation, ...] = ()
    response: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    source: str = "base"
    weight: float = 1.0
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class NluData:
    """All training data for understanding.

    `synonyms` maps a spelling (lower case) to its value; `regexes` and `lookups` map a
    label to its patterns or words; `intent_metadata` is the intents' `metadata` by name.
    """

    examples: tuple[Example, ...] = ()
    synonyms: Mapping[str, str] = field(default_factory=dict)
    regexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lookups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    intent_metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepEntity:
    """An entity of a story step; with a `user:` text, its characters `[start:end]` there."""

    entity: str
    value: Any = None
    role: str | None = None
    group: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class UserStep:
    """The user says something: an intent (with entities), or a text, or both (test stories).

    Of a retrieval intent `faq/key`, `intent` is `faq` and `response` the whole name. `beside` are
    entities that stand beside a text instead of in it, which Rasa does not read.
    """

    intent: str | None = None
    entities: tuple[StepEntity, ...] = ()
    text: str | None = None
    line: int = 0
    kind: Literal["user"] = "user"
    response: str | None = None
    beside: tuple[StepEntity, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionStep:
    """The assistant runs an action; `...` in a rule leaves what happens open."""

    action: str
    line: int = 0
    kind: Literal["action"] = "action"


@dataclass(frozen=True, slots=True)
class BotStep:
    """The assistant says a text (end to end)."""

    text: str
    line: int = 0
    kind: Literal["bot"] = "bot"


@dataclass(frozen=True, slots=True)
class LoopStep:
    """A form becomes active, or (None) the active one ends."""

    loop: str | None
    line: int = 0
    kind: Literal["loop"] = "loop"


@dataclass(frozen=True, slots=True)
class SlotStep:
    """Slots were set; a name without a value stands with `value=None, given=False`."""

    slot: str
    value: Any = None
    given: bool = True
    line: int = 0
    kind: Literal["slot"] = "slot"


@dataclass(frozen=True, slots=True)
class CheckpointStep:
    """A named joint between stories, passed only if `conditions` (slot, value) hold."""

    name: str
    conditions: tuple[tuple[str, Any], ...] = ()
    line: int = 0
    kind: Literal["checkpoint"] = "checkpoint"


@dataclass(frozen=True, slots=True)
class OrStep:
    """One of several user or slot steps."""

    alternatives: tuple[UserStep | SlotStep, ...]
    line: int = 0
    kind: Literal["or"] = "or"


Step = UserStep | ActionStep | BotStep | LoopStep | SlotStep | CheckpointStep | OrStep


@dataclass(frozen=True, slots=True)
class Story:
    """A story or a test story: its steps in order."""

    name: str
    steps: tuple[Step, ...]
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; `conditions` are LoopStep and SlotStep values that must hold when it applies."""

    name: str
    steps: tuple[Step, ...]
    conditions: tuple[LoopStep | SlotStep, ...] = ()
    conversation_start: bool = False
    wait_for_user_input: bool = True
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class FallbackConfig:
    """The project's FallbackClassifier; None thresholds mean the project configures none."""

    threshold: float | None = None
    ambiguity_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """What `config.yml` says of policies; `max_history` None = the whole conversation."""

    names: tuple[str, ...] = ()
    core_fallback_threshold: float = 0.3
    core_fallback_action: str = "action_default_fallback"
    enable_fallback_prediction: bool = True
    restrict_rules: bool = True
    check_for_contradictions: bool = True
    memoization_max_history: int | None = 5
    augmented: bool = False
    learned_max_history: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL from `endpoints.yml` with its headers and credentials.

    `cafile` holds the authorities to trust instead of the system's, `client_cert` and
    `client_key` what shows who we are: paths of PEM files.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    token_name: str = "token"  # noqa: S105 - the query parameter's name, as in Rasa
    basic_auth: tuple[str, str] | None = None
    enable_selective_domain: bool = False
    cafile: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """`config.yml`, `endpoints.yml` and `credentials.yml`, as far as they concern us."""

    language: str = "en"
    assistant_id: str | None = None
    fallback: FallbackConfig = FallbackConfig()
    policies: PolicyConfig = PolicyConfig()
    pipeline: tuple[Mapping[str, Any], ...] = ()
    action_endpoint: Endpoint | None = None
    nlg_endpoint: Endpoint | None = None
    credentials: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """An assistant's folder, read and checked."""

    root: Path
    domain: Domain
    nlu: NluData = NluData()
    stories: tuple[Story, ...] = ()
    rules: tuple[Rule, ...] = ()
    config: ProjectConfig = ProjectConfig()
    notices: tuple[Notice, ...] = ()
