"""What forms and the two-stage fallback have in common: collecting a loop's events."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.actions.types import ActionResult
from agent.dialogue.events import ActiveLoop, Event, SlotSet
from agent.dialogue.names import REQUESTED_SLOT
from agent.turn import Reply

EMPTIED = "emptied"
"""In a slot event's metadata: the user took the value back, so a form asks for it again."""


@dataclass(slots=True)
class Progress:
    """What a loop did so far."""

    events: list[Event] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    error: str | None = None

    def add(self, result: ActionResult) -> None:
        """Take over what an action did."""
        self.events.extend(result.events)
        self.replies.extend(result.replies)
        self.error = self.error or result.error

    def result(self) -> ActionResult:
        """The whole as one action's result."""
        return ActionResult(tuple(self.events), tuple(self.replies), self.error)


def last_requested(events: Sequence[Event]) -> SlotSet | None:
    """The last event that sets the slot to ask for."""
    found = (e for e in reversed(events) if isinstance(e, SlotSet) and e.name == REQUESTED_SLOT)
    return next(found, None)


def last_loop(events: Sequence[Event]) -> ActiveLoop | None:
    """The last event that opens or ends a loop."""
    return next((e for e in reversed(events) if isinstance(e, ActiveLoop)), None)
