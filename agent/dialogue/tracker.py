"""A conversation's state as an incremental fold over its events."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

from agent.dialogue.applied import AppliedEvents, Frame
from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActionReverted,
    Event,
    Restarted,
    SessionStarted,
    UserUtteranceReverted,
    UserUttered,
    event_from_dict,
)
from agent.dialogue.featurizer import Featurizer, State, featurizer_for
from agent.dialogue.situation import Loop, Situation, after_event
from agent.project.types import Domain

Verbosity = Literal["ALL", "AFTER_RESTART", "APPLIED", "NONE"]


class Tracker:
    """The events of one conversation and what they add up to.

    Adding an event takes constant time whatever the conversation's length; a tracker
    rebuilt from its events equals the one that saw them happen.
    """

    def __init__(self, conversation_id: str, domain: Domain, events: Iterable[Event] = ()) -> None:
        self.conversation_id = conversation_id
        self.domain = domain
        self.events: list[Event] = []
        self._featurizer: Featurizer = featurizer_for(domain)
        self._applied = AppliedEvents(self._featurizer)
        self._now: Situation = self._applied.now
        self._restart_index = 0
        self._channel: str | None = None
        self._rejected: str | None = None
        self.extend(events)

    @classmethod
    def from_events(
        cls, conversation_id: str, domain: Domain, events: Iterable[Event | Mapping[str, Any]]
    ) -> Self:
        """A tracker from events or their JSON.

        Raises:
            InputError: an event's JSON has an unknown `event` key.
        """
        read = (e if isinstance(e, Event) else event_from_dict(e) for e in events)
        return cls(conversation_id, domain, read)

    def copy(self) -> "Tracker":
        """An independent tracker in the same situation."""
        other = Tracker(self.conversation_id, self.domain)
        other.events = self.events.copy()
        other._applied = self._applied.copy()
        other._now = self._now
        other._restart_index = self._restart_index
        other._channel = self._channel
        other._rejected = self._rejected
        return other

    def append(self, event: Event) -> None:
        """Something happened: the state is what it adds up to now."""
        self.events.append(event)
        match event:
            case Restarted() | SessionStarted():
                self._start_over(event)
            case ActionReverted():
                self._applied.undo_action()
                self._now = self._applied.now
            case UserUtteranceReverted():
                self._applied.undo_message()
                self._now = self._applied.now
            case _:
                self._apply(event)

    def extend(self, events: Iterable[Event]) -> None:
        """Append several events."""
        for event in events:
            self.append(event)

    def _start_over(self, event: Event) -> None:
        self._applied.clear()
        self._now = self._applied.now
        if isinstance(event, Restarted):
            self._now = after_event(self._now, event, self._featurizer)
            self._restart_index = len(self.events)

    def _apply(self, event: Event) -> None:
        # Both folds are the same value until a loop's happy path is folded away.
        shared = self._now is self._applied.now
        if self._applied.add(event) and shared:
            self._now = self._applied.now
        else:
            self._now = after_event(self._now, event, self._featurizer)
        if isinstance(event, UserUttered):
            self._channel = event.input_channel
        elif isinstance(event, ActionExecuted):
            self._rejected = None
        elif isinstance(event, ActionExecutionRejected):
            self._rejected = event.name

    @property
    def situation(self) -> Situation:
        """Where the conversation stands."""
        return self._now

    @property
    def applied(self) -> Situation:
        """Where the applied events lead: it differs where a loop's happy path was folded."""
        return self._applied.now

    @property
    def slots(self) -> Mapping[str, Any]:
        """The slots' values by name; a view that is never changed in place."""
        return self._now.slots

    @property
    def latest_message(self) -> UserUttered | None:
        """The latest user message that was not undone."""
        return self._now.message

    @property
    def active_loop(self) -> str | None:
        """The active form or loop."""
        return self._now.loop_name

    @property
    def loop(self) -> Loop | None:
        """The active loop with its flags."""
        return self._now.loop

    @property
    def latest_action(self) -> dict[str, str]:
        """The latest action in Rasa's form: its name, or its text if chosen end to end."""
        if self._now.action:
            return {"action_name": self._now.action}
        return {"action_text": self._now.action_text} if self._now.action_text else {}

    @property
    def latest_action_name(self) -> str | None:
        """The latest action's name (or text)."""
        return self._now.action_name

    @property
    def followup_action(self) -> str | None:
        """The action that must come next, whatever the policies say."""
        return self._now.followup

    @property
    def paused(self) -> bool:
        """Whether the assistant keeps silent."""
        return self._now.paused

    @property
    def rejected_action(self) -> str | None:
        """The action that declined to run just now."""
        return self._rejected

    @property
    def latest_input_channel(self) -> str | None:
        """The channel of the latest user message."""
        return self._channel

    @property
    def frames(self) -> Sequence[Frame]:
        """The applied actions, each with the situation before it."""
        return self._applied.frames

    def state(self) -> State:
        """What the policies see now."""
        return self._applied.now.state()

    def slot(self, name: str) -> Any:
        """A slot's value, None if it is empty or unknown."""
        return self._now.slots.get(name)

    def applied_events(self, start: int = 0) -> list[Event]:
        """The events that still count: without what was undone or lies before a restart.

        Args:
            start: leave out so many of the first ones (see Frame.index).
        """
        return self._applied.events(start)

    def events_after_restart(self) -> list[Event]:
        """All events since the latest restart, undone ones too."""
        return self.events[self._restart_index :]

    def new_session_needed(self, now: float) -> bool:
        """Whether a message at `now` (seconds since the epoch) begins a new session.

        As in Rasa the time runs from the latest message that still counts: one that was undone
        does not, nor does an answer to a form that went on to its next question.
        """
        if not len(self._applied):
            return True
        limit_min = self.domain.session.expiration_time_min
        latest = self._applied.latest_message() if limit_min > 0 else None
        return latest is not None and (now - latest.timestamp) / 60 > limit_min

    def current_state(self, include_events: Verbosity = "NONE") -> dict[str, Any]:
        """The tracker in Rasa's JSON form; `events` is None for NONE."""
        now = self._now
        return {
            "sender_id": self.conversation_id,
            "slots": dict(now.slots),
            "latest_message": _message_json(now.message),
            "latest_event_time": self.events[-1].timestamp if self.events else None,
            "followup_action": now.followup,
            "paused": now.paused,
            "events": self._events_json(include_events),
            "latest_input_channel": self._channel,
            "active_loop": _loop_json(now.loop),
            "latest_action": self.latest_action,
            "latest_action_name": self.latest_action_name,
        }

    def _events_json(self, include: Verbosity) -> list[dict[str, Any]] | None:
        match include:
            case "NONE":
                return None
            case "APPLIED":
                events = self.applied_events()
            case "AFTER_RESTART":
                events = self.events_after_restart()
            case _:
                events = self.events
        return [event.to_dict() for event in events]


def _message_json(message: UserUttered | None) -> dict[str, Any]:
    if message is None:
        return {"intent": {}, "entities": [], "text": None, "message_id": None, "metadata": {}}
    ours: dict[str, Any] = {
        "intent": {},
        "entities": [],
        "text": message.text,
        "message_id": message.message_id,
        "metadata": dict(message.metadata),
    }
    return {**ours, **message.parse_data}


def _loop_json(loop: Loop | None) -> dict[str, Any]:
    if loop is None:
        return {}
    return {
        "name": loop.name,
        "is_interrupted": loop.is_interrupted,
        "rejected": loop.rejected,
        "trigger_message": dict(loop.trigger) if loop.trigger is not None else None,
    }
