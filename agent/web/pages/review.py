"""The review queue's list, and the way to the next item."""

from typing import cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from agent.feedback.queue import Shown
from agent.feedback.queue_item import ReasonKind
from agent.web.pages.desk import Desk, PageRoute, see
from agent.web.pages.freshness import Freshness
from agent.web.pages.item import REASONS, after, told

PAGE = 50
LAST_PAGE = 10_000
STATES = {"open": "Open", "done": "Done", "all": "All"}


def build_router(desk: Desk) -> APIRouter:
    """The routes under /review for the queue."""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)
    assistant = desk.services.assistant
    freshness = Freshness(assistant.queue)

    @router.get("")
    async def show_queue(
        request: Request, state: str = "open", reason: str = "", q: str = "", page: int = 1
    ) -> Response:
        state = state if state in STATES else "open"
        reason = reason if reason in REASONS else ""
        wanted = cast(ReasonKind, reason) if reason else None
        await desk.user(request)
        await freshness.wait()
        page = min(max(page, 1), LAST_PAGE)
        begin = (page - 1) * PAGE
        items = await assistant.queue.items(
            state=cast(Shown, state), reason=wanted, search=q[:200], offset=begin, limit=PAGE + 1
        )
        return await desk.page(
            request,
            "queue.html",
            items=items[:PAGE],
            more=len(items) > PAGE,
            counts=await assistant.queue.counts(),
            states=STATES,
            reasons=REASONS,
            chosen={"state": state, "reason": reason, "q": q[:200]},
            page=page,
            query=urlencode({"state": state, "reason": reason, "q": q[:200]}),
        )

    @router.get("/next")
    async def next_item(request: Request, done: str = "", kind: str = "") -> Response:
        user = await desk.user(request)
        await freshness.wait()
        item = await assistant.queue.claim(user.name)
        if item is None:
            counts = await assistant.queue.counts()
            return await desk.page(
                request, "empty.html", counts=counts, told=await told(desk, done, kind), item=None
            )
        return see(f"/review/items/{item.id}?{urlencode(after(done, kind))}")

    return router
