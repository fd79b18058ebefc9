"""/api/recommendations and /api/events: suggested items, and what people did with them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from agent.errors import InputError
from agent.recommend.events import read_event
from agent.recommend.service import Recommendations
from agent.recommend.wishes import Wishes
from agent.web.errors import HttpError
from agent.web.services import Services

MOST_EVENTS = 1_000


class EventsIn(BaseModel):
    """What people did: each `{user, item, kind, value?, at?}`."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_EVENTS)]


def build_router(services: Services) -> APIRouter:
    """The routes of suggestions; a chat user asks for their own conversation, staff for anybody."""
    router = APIRouter(prefix="/api", tags=["recommendations"])

    @router.get("/recommendations")
    async def recommend(
        request: Request,
        user: Annotated[str, Query(min_length=1, max_length=200)],
        k: Annotated[int, Query(ge=1, le=100)] = 10,
        text: Annotated[str, Query(max_length=2_000)] = "",
        like: Annotated[str | None, Query(max_length=200)] = None,
        fact: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006 - FastAPI copies it
    ) -> dict[str, list[dict[str, Any]]]:
        """Items for a user, best first, each with its reason; `fact` is `name=value`."""
        await _check_may_ask(services, request, user)
        wishes = Wishes(text, dict(_fact(one) for one in fact), like)
        found = await _items(services).recommend(user, k, wishes=wishes)
        return {"suggestions": [one.as_json() for one in found]}

    @router.post("/events", status_code=202)
    async def note(request: Request, body: EventsIn) -> dict[str, int]:
        """Take in what people did; it counts on the next request, the same again only once."""
        events = [read_event(one) for one in body.events]
        for user in {event.user for event in events}:
            await _check_may_ask(services, request, user)
        return {"added": await _items(services).note(events)}

    return router


async def _check_may_ask(services: Services, request: Request, user: str) -> None:
    """Refuse who is neither this user (by the conversation's token) nor staff (401, 403)."""
    if not await services.access.may_speak_as(request, user):
        await services.access.staff(request)


def _items(services: Services) -> Recommendations:
    found = services.assistant.recommendations
    if found is None or not found.available:
        raise HttpError(404, "this assistant has no items.jsonl to suggest from")
    return found


def _fact(given: str) -> tuple[str, str]:
    name, separator, value = given.partition("=")
    if not separator or not name:
        raise InputError(f"fact {given[:40]!r} must be name=value")
    return name, value
