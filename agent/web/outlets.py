"""Channels that can be written to at any time, not only in answer to a message."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.dialogue.events import BotUttered, Event
from agent.dialogue.tracker import Tracker
from agent.prompts.responses import utterance
from agent.turn import Reply
from agent.web.replies import outlet_messages

_log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Reaches a user by itself: Socket.IO, callback, our own event streams."""

    async def send(self, recipient: str, message: Mapping[str, Any]) -> None:
        """Deliver one message of `outlet_messages`."""


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
        said = (event for event in events if isinstance(event, BotUttered))
        replies = [_reply(event, tracker.conversation_id) for event in said]
        messages = outlet_messages([reply for reply in replies if reply is not None])
        return await self.send(channel, tracker.conversation_id, messages)


def _reply(event: BotUttered, recipient: str) -> Reply | None:
    data = {key: value for key, value in event.data.items() if value}
    if data.get("attachment") == data.get("image"):
        data.pop("attachment", None)  # events have an image in both places
    return utterance({**data, "text": event.text}, recipient).reply
