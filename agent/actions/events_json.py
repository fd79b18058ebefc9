"""The events of a conversation as JSON, written no more often than it must be."""

import json
from collections.abc import Sequence
from typing import Any, overload

from agent.dialogue.events import Event, plain_json
from agent.turn import new_id


class EventsJson(Sequence[dict[str, Any]]):
    """A conversation's events so far as JSON objects, each written only when it is asked for.

    Calls to the local runner send new events alone, so they stay cheap in long conversations;
    calls to a server send the text that each event keeps.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events, self._length = events, len(events)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self._events[i].to_dict() for i in range(*index.indices(self._length))]
        return self._events[range(self._length)[index]].to_dict()

    def to_json(self) -> str:
        """All of them as a JSON array."""
        return "[" + ", ".join(event.to_json() for event in self._events[: self._length]) + "]"


def encode(value: Any) -> bytes:
    """A value as JSON; mappings and sequences of any type, the rest as text."""
    written: dict[str, str] = {}

    def plain(part: object) -> object:
        if not isinstance(part, EventsJson):
            return plain_json(part)
        # A name that nobody can know stands for what is text already.
        written[mark := new_id()] = part.to_json()
        return mark

    text = json.dumps(value, ensure_ascii=False, default=plain)
    for mark, part in written.items():
        text = text.replace(f'"{mark}"', part, 1)
    return text.encode()


__all__ = ["EventsJson", "encode"]
