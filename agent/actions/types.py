"""What an action gives back: events and replies, a rejection, or a server's raw reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.dialogue.events import Event
from agent.turn import Reply


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What running an action did.

    `events` hold everything that the tracker must append, in order, the `BotUttered` of
    each reply included; the `ActionExecuted` of the action itself is not among them.
    `replies` are what the user sees, in order; the templates that took part stand in
    their metadata under `prompts`, by name with their versions. `error` is the one line
    for the log when a custom action failed and the replies say so to the user.
    """

    events: tuple[Event, ...] = ()
    replies: tuple[Reply, ...] = ()
    error: str | None = None


class ActionRejected(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """An action declined to run (Rasa's ActionExecutionRejection); other policies may act.

    Args:
        action: the action's name.
        message: the action's own reason, for the log.
    """

    def __init__(self, action: str, message: str = "") -> None:
        self.action, self.message = action, message
        super().__init__(message or f"action {action!r} rejected its execution")


@dataclass(frozen=True, slots=True)
class ActionServerReply:
    """What an action server answers: events and responses as plain JSON, unread."""

    events: Sequence[Mapping[str, Any]] = ()
    responses: Sequence[Mapping[str, Any]] = ()


class CustomActions(Protocol):
    """Runs the project's own actions: `LocalActions` or `RemoteActions`.

    `call` raises ActionRejected when the action declines, ActionError when it failed,
    hung, crashed or is unknown.
    """

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        """Run the action on a tracker's state (Rasa's tracker JSON) and the raw domain."""

    async def names(self) -> list[str]:
        """The names of the actions that can be called."""

    async def close(self) -> None:
        """End what was started; later calls start it anew."""


__all__ = ["ActionRejected", "ActionResult", "ActionServerReply", "CustomActions"]
