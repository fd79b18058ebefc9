"""The events of a conversation, in Rasa's JSON form and back."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from knowledge.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened; `timestamp` is in seconds since the epoch (UTC)."""

    kind: ClassVar[str] = ""
    timestamp: float = field(default_factory=time.time)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    _json: str | None = field(default=None, init=False, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The event as Rasa writes it: `event` plus its own fields."""
        values = {name: getattr(self, name) for name in _FIELDS[self.kind]}
        if not values["metadata"]:
            del values["metadata"]
        return {"event": self.kind, **values}

    def to_json(self) -> str:
        """The same as JSON text. It is written once: action servers get it with every call."""
        text = self._json
        if text is None:
            text = json.dumps(self.to_dict(), ensure_ascii=False, default=plain_json)
            object.__setattr__(self, "_json", text)
        return text

    @classmethod
    def from_fields(cls, data: Mapping[str, Any]) -> Self:
        """An event of this class from its JSON fields; missing ones take their defaults."""
        known = _FIELDS[cls.kind]
        given = {k: v for k, v in data.items() if k in known and v is not None}
        return cls(**given)


def plain_json(value: object) -> object:
    """For `json.dumps(default=…)`: mappings and sequences of any type, the rest as text."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence | set | frozenset) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUttered(Event):
    """A user message; `parse_data` is Rasa's parse result."""

    kind: ClassVar[str] = "user"
    text: str | None = None
    parse_data: Mapping[str, Any] = field(default_factory=dict)
    input_channel: str | None = None
    message_id: str | None = None

    @property
    def intent(self) -> str | None:
        """The name of the best intent, None if nothing was understood."""
        name = (self.parse_data.get("intent") or {}).get("name")
        return str(name) if name else None

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The entities of the parse result."""
        return list(self.parse_data.get("entities") or [])


@dataclass(frozen=True, slots=True, kw_only=True)
class BotUttered(Event):
    """A bot message; `data` holds buttons, image, attachment, elements, custom."""

    kind: ClassVar[str] = "bot"
    text: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSet(Event):
    """A slot takes a value (None empties it)."""

    kind: ClassVar[str] = "slot"
    name: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionExecuted(Event):
    """An action ran."""

    kind: ClassVar[str] = "action"
    name: str | None = None
    policy: str | None = None
    confidence: float | None = None
    action_text: str | None = None
    hide_rule_turn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveLoop(Event):
    """A form or loop becomes active, or (name None) the active one ends."""

    kind: ClassVar[str] = "active_loop"
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopInterrupted(Event):
    """The active loop was (or is no longer) interrupted by another action."""

    kind: ClassVar[str] = "loop_interrupted"
    is_interrupted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionExecutionRejected(Event):
    """An action declined to run; other policies may act."""

    kind: ClassVar[str] = "action_execution_rejected"
    name: str = ""
    policy: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """A new session begins."""

    kind: ClassVar[str] = "session_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """The session ends."""

    kind: ClassVar[str] = "session_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Event):
    """Everything before is forgotten."""

    kind: ClassVar[str] = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUtteranceReverted(Event):
    """The last user message and all that followed it are undone."""

    kind: ClassVar[str] = "rewind"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionReverted(Event):
    """The last action and all that followed it are undone."""

    kind: ClassVar[str] = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllSlotsReset(Event):
    """Every slot takes its initial value."""

    kind: ClassVar[str] = "reset_slots"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderScheduled(Event):
    """An intent to be injected at `date_time` (ISO 8601)."""

    kind: ClassVar[str] = "reminder"
    intent: str = ""
    entities: Any = None
    date_time: str = ""
    name: str | None = None
    kill_on_user_msg: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderCancelled(Event):
    """Reminders that fit are dropped (no field given: all)."""

    kind: ClassVar[str] = "cancel_reminder"
    name: str | None = None
    intent: str | None = None
    entities: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowupAction(Event):
    """The next action is fixed."""

    kind: ClassVar[str] = "followup"
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPaused(Event):
    """The assistant is silent until resumed."""

    kind: ClassVar[str] = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationResumed(Event):
    """The assistant speaks again."""

    kind: ClassVar[str] = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryExported(Event):
    """The story was exported (kept for old trackers)."""

    kind: ClassVar[str] = "export"
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUttered(Event):
    """A human agent said something."""

    kind: ClassVar[str] = "agent"
    text: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitiesAdded(Event):
    """Entities were added to the latest message."""

    kind: ClassVar[str] = "entities"
    entities: tuple[Any, ...] | list[Any] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFeaturized(Event):
    """Whether the action after the latest message was chosen by its text or its intent."""

    kind: ClassVar[str] = "user_featurization"
    use_text_for_featurization: bool = False


EVENTS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        UserUttered,
        BotUttered,
        SlotSet,
        ActionExecuted,
        ActiveLoop,
        LoopInterrupted,
        ActionExecutionRejected,
        SessionStarted,
        SessionEnded,
        Restarted,
        UserUtteranceReverted,
        ActionReverted,
        AllSlotsReset,
        ReminderScheduled,
        ReminderCancelled,
        FollowupAction,
        ConversationPaused,
        ConversationResumed,
        StoryExported,
        AgentUttered,
        EntitiesAdded,
        UserFeaturized,
    )
}

_FIELDS = {kind: tuple(f.name for f in fields(cls) if f.init) for kind, cls in EVENTS.items()}


def event_from_dict(data: Mapping[str, Any]) -> Event:
    """An event from Rasa's JSON form; older SDKs' `form` and `form_validation` are understood.

    Raises:
        InputError: the `event` key is missing or unknown.
    """
    kind = data.get("event")
    if kind == "form":
        return ActiveLoop.from_fields(data)
    if kind == "form_validation":
        flipped = {**data, "is_interrupted": not data.get("validate", True)}
        return LoopInterrupted.from_fields(flipped)
    cls = EVENTS.get(str(kind))
    if cls is None:
        known = ", ".join(EVENTS)
        raise InputError(f"unknown event {kind!r}: an event's `event` key is one of {known}")
    return cls.from_fields(data)
