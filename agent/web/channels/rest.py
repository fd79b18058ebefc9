"""Rasa's REST channel."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import Response

from agent.errors import AgentError
from agent.turn import Message, Reply, new_id
from agent.web.channels.inbound import read_rules
from agent.web.errors import as_http
from agent.web.rasa.bodies import JsonRoute
from agent.web.replies import channel_messages
from agent.web.services import Services

NAME = "rest"


Sender = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value),
    Field(max_length=1_000),
]


class RestMessage(BaseModel):
    """A message as Rasa's clients send it; a sender may be a number."""

    sender: Sender | None = None
    message: Annotated[str, Field(max_length=100_000)] | None = None
    input_channel: Annotated[str, Field(max_length=100)] | None = None
    metadata: dict[str, Any] | None = None

    def read(self, channel: str) -> Message:
        """The message as our own value, come by this channel."""
        return Message(
            new_id(),
            self.sender or "default",
            (self.message or "").strip(),
            channel,
            self.metadata or {},
        )


def build_router(services: Services, options: Mapping[str, Any]) -> APIRouter:
    """`/webhooks/rest`."""
    router = APIRouter(prefix="/webhooks/rest", tags=["channels"], route_class=JsonRoute)
    rules = read_rules(NAME, options, loopback=services.loopback)

    @router.get("/")
    async def health() -> dict[str, str]:
        """Whether the channel is there."""
        return {"status": "ok"}

    @router.post("/webhook", responses={200: {"model": list[dict[str, Any]]}})
    async def webhook(
        request: Request, body: RestMessage, stream: Annotated[str, Query(max_length=10)] = ""
    ) -> Response:
        """Say something; the replies are the answer, with `stream=true` one JSON a line."""
        message = body.read(body.input_channel or NAME)
        await rules.check_sender(services.access, request, message.conversation_id)
        if stream.lower() == "true":
            lines = _lines(services, message, any_payload=rules.any_payload)
            # Rasa's name for it, although the lines are no server-sent events.
            return StreamingResponse(lines, media_type="text/event-stream")
        turn = await services.turns.answer(message, any_payload=rules.any_payload)
        return JSONResponse(channel_messages(turn.replies))

    return router


async def _lines(services: Services, message: Message, *, any_payload: bool) -> AsyncIterator[str]:
    """The replies as they come, one JSON a line.

    An answer that a language model writes comes whole: Rasa's clients show every line as a
    message of its own.
    """
    said: asyncio.Queue[Reply | None] = asyncio.Queue()
    work = asyncio.create_task(
        services.turns.answer(message, any_payload=any_payload, said=said.put_nowait)
    )
    work.add_done_callback(lambda _: said.put_nowait(None))
    while (reply := await said.get()) is not None:
        for one in channel_messages([reply]):
            yield json.dumps(one, ensure_ascii=False) + "\n"
    try:
        await work
    except AgentError as error:
        yield json.dumps({"error": as_http(error).message}) + "\n"
