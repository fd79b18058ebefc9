"""The audit log: who did what, newest first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from agent.feedback.correction import Correction
from agent.registry import Promotion
from agent.web.pages.desk import Desk, PageRoute

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that somebody did; `link` leads to it."""

    at: datetime
    by: str
    did: str
    what: str
    link: str | None = None


def build_router(desk: Desk) -> APIRouter:
    """The route /review/audit."""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)
    assistant = desk.services.assistant

    @router.get("/audit")
    async def show_audit(request: Request, by: str = "") -> Response:
        await desk.user(request)
        found = [
            Line(h.at, h.by, h.action, h.text or h.item_id, f"/review/items/{h.item_id}")
            for h in await assistant.queue.history(limit=SHOWN)
        ]
        found += corrected(await assistant.store.corrections(limit=SHOWN, newest=True))
        found += map(_recorded, await desk.services.accounts.audit(limit=SHOWN))
        found += map(_promoted, assistant.registry.history()[-SHOWN:])
        people = sorted({line.by for line in found if line.by})
        lines = sorted((one for one in found if by in ("", one.by)), key=_time, reverse=True)
        return await desk.page(
            request, "audit.html", lines=lines[:SHOWN], people=people, chosen=by, most=SHOWN
        )

    return router


def corrected(corrections: Iterable[Correction]) -> list[Line]:
    """What reviewers did with corrections outside the queue (page of a turn, terminal)."""
    return [
        Line(change.at, change.by, change.state, correction.text)
        for correction in corrections
        if correction.trust == "reviewer"
        for change in correction.history
    ]


def _recorded(entry: Mapping[str, Any]) -> Line:
    at = datetime.fromisoformat(entry["at"])
    return Line(at, entry["who"], entry["action"], entry["subject"])


def _promoted(promotion: Promotion) -> Line:
    what = f"{promotion.id} {promotion.reason}".strip()
    link = f"/review/models/{promotion.id}"
    return Line(promotion.at, promotion.by or "terminal", promotion.action, what, link)


def _time(line: Line) -> datetime:
    return line.at
