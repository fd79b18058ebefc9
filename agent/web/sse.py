"""Server-sent events: a turn's replies as they come, and a conversation's messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import StreamingResponse

from agent.errors import AgentError
from agent.turn import Reply
from agent.web.errors import as_http
from agent.web.replies import reply_json

MEDIA_TYPE = "text/event-stream"


def sse(event: str, data: Mapping[str, Any], identifier: str = "") -> str:
    r"""One event in the wire format.

    >>> sse("done", {"turn_id": "t"}, "m:2")
    'id: m:2\nevent: done\ndata: {"turn_id": "t"}\n\n'
    """
    line = f"id: {identifier}\n" if identifier else ""
    return f"{line}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def stream(events: AsyncIterator[str]) -> StreamingResponse:
    """The response that sends events; no proxy may hold them back."""
    return StreamingResponse(events, media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


@dataclass(slots=True)
class Heard:
    """The replies of a turn that is running, and the text of one that is being written."""

    queue: "asyncio.Queue[Reply | str | None]" = field(default_factory=asyncio.Queue)

    def __call__(self, reply: Reply) -> None:
        """Take a reply."""
        self.queue.put_nowait(reply)

    def write(self, text: str) -> None:
        """Take a piece of the reply that comes next."""
        self.queue.put_nowait(text)


async def turn_events(
    message_id: str, work: "asyncio.Task[dict[str, Any]]", heard: Heard, seen: int = 0
) -> AsyncIterator[str]:
    """The events of one turn: `reply` for each, `done` (or `error`) at the end.

    A `delta` is a piece of a reply that is being written; the reply itself comes whole in any
    case. A reply that changed before the turn ended is sent again under its number. The turn
    goes on when nobody listens any more.

    Args:
        message_id: ids of the events are `message_id:number`.
        work: gives the whole answer.
        heard: the replies while they come; none of them for a message that was sent again.
        seen: the number of the last event that the client had.
    """
    work.add_done_callback(lambda _: heard.queue.put_nowait(None))
    sent: list[dict[str, Any]] = []
    number = 0
    while (reply := await heard.queue.get()) is not None:
        if isinstance(reply, str):
            yield sse("delta", {"reply": len(sent), "text": reply})
            continue
        sent.append(reply_json(reply))
        number += 1
        if number > seen:
            yield _reply(message_id, number, len(sent) - 1, sent[-1])
    try:
        answer = await work
    except AgentError as error:
        yield sse("error", {"error": as_http(error).message, "code": as_http(error).status})
        return
    for place, final in enumerate(answer["replies"]):
        if place >= len(sent) or sent[place] != final:
            number += 1
            if number > seen or place < len(sent):
                yield _reply(message_id, number, place, final)
    done = {name: value for name, value in answer.items() if name != "replies"}
    yield sse("done", done, f"{message_id}:{number + 1}")


def _reply(message_id: str, number: int, place: int, reply: Mapping[str, Any]) -> str:
    return sse("reply", {"reply": place, **reply}, f"{message_id}:{number}")


def seen_number(last_event_id: str | None, message_id: str) -> int:
    """How many events of this message a client has had.

    >>> seen_number("m:3", "m"), seen_number("other:3", "m"), seen_number(None, "m")
    (3, 0, 0)
    """
    name, _, number = (last_event_id or "").rpartition(":")
    return int(number) if name == message_id and number.isdecimal() and len(number) < 9 else 0


def numbered(messages: Sequence[Mapping[str, Any]], position: int) -> str:
    """A conversation's new messages as events; the last one's id is where to go on."""
    last = len(messages) - 1
    return "".join(
        sse("message", message, str(position) if i == last else "")
        for i, message in enumerate(messages)
    )
