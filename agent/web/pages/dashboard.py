"""The dashboard: how much is asked, how well it is answered, what changes."""

from fastapi import APIRouter, Request, Response

from agent.feedback.drift import alarms, troubles
from agent.storage.store import Store
from agent.web.pages.desk import Desk, PageRoute
from agent.web.pages.figures import DAYS, Resolution, bars, read_days, resolution, trends
from agent.web.pages.kept import Kept

LATEST = 2_000
SERIES = {
    "fallback": "Messages without an answer",
    "out_of_scope": "Messages outside what the assistant does",
    "unsure": "Messages that the model is unsure of",
    "corrections_pending": "Complaints",
}


def build_router(desk: Desk) -> APIRouter:
    """The route /review/dashboard."""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)
    assistant = desk.services.assistant
    resolved = Kept(lambda: _resolved(assistant.store))

    @router.get("/dashboard")
    async def show_dashboard(request: Request) -> Response:
        await desk.user(request)
        store = assistant.store
        days = await read_days(store)
        return await desk.page(
            request,
            "dashboard.html",
            days=days,
            trends=trends(days),
            resolution=await resolved.get(),
            alarms=await alarms(store, days=DAYS),
            troubles=await troubles(store),
            counts=await assistant.queue.counts(),
            agreement=await assistant.queue.agreement(),
            production=assistant.registry.production_id(),
            bars=bars,
            series=SERIES,
            latest=LATEST,
        )

    return router


async def _resolved(store: Store) -> Resolution:
    """How the latest conversations went."""
    complaints = [
        c.conversation_id
        for c in await store.corrections(limit=LATEST, newest=True)
        if c.conversation_id and c.source == "user" and not c.liked
    ]
    return await resolution(store.scan_turns(limit=LATEST), complaints)
