"""Knowledge gaps: questions that nothing answered, similar ones together, for authors to fill."""

import asyncio

from fastapi import APIRouter, Request, Response

from agent.feedback.gaps import ask, group, unanswered
from agent.web.pages.desk import Desk, PageRoute
from agent.web.pages.talks import latest_turns

SCANNED = 5_000


def build_router(desk: Desk) -> APIRouter:
    """The route /review/gaps."""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)

    @router.get("/gaps")
    async def show_gaps(request: Request) -> Response:
        await desk.user(request)
        turns = [turn async for turn in latest_turns(desk, SCANNED) if unanswered(turn)]
        interpreter = desk.services.assistant.brains.loaded.interpreter
        found = await asyncio.to_thread(group, ask(turns), interpreter.encode)
        return await desk.page(request, "gaps.html", gaps=found, scanned=SCANNED)

    return router
