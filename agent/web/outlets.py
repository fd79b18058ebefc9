"""Channels that can be written to at any time, not only in answer to a message."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.dialogue.events import BotUttered, Event
from agent.dialogue.tracker import Tracker

_log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Reaches a user by itself: Socket.IO, callback, our own event streams."""

    async def send(self, recipient: str, message: Mapping[str, Any]) -> None:
        """Deliver one message in the shape of Rasa's REST channel."""


@dataclass(slots=True)
class Outlets:
    """The outlets by their channel's name."""

    by_channel: dict[str, Outlet] = field(default_factory=dict)

    async def send(
        self, channel: str | None, recipient: str, messages: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Deliver messages; False if the channel is none that can be written to."""
        outlet = self.by_channel.get(channel or "")
        if outlet is None:
            return False
        for message in messages:
            await outlet.send(recipient, message)
        return True

    async def send_events(
        self, channel: str | None, tracker: Tracker, events: Sequence[Event]
    ) -> bool:
        """Deliver what the bot says in events that were put into a conversation."""
        messages = [
            {"recipient_id": tracker.conversation_id, **_message(event)}
            for event in events
            if isinstance(event, BotUttered)
        ]
        return await self.send(channel, tracker.conversation_id, messages)


def _message(event: BotUttered) -> dict[str, Any]:
    found = {name: value for name, value in event.data.items() if value}
    return {"text": event.text, **found} if event.text else found
