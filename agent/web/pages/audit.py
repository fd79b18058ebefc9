"""The audit log: who did what, newest first."""

from collections.abc import Callable, Iterable, Mapping
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
    """One thing that somebody did: `became` says what it was corrected to, `link` leads to it."""

    at: datetime
    by: str
    did: str
    what: str
    link: str | None = None
    became: str = ""


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
        corrections = await assistant.store.corrections(limit=SHOWN, newest=True)
        found += corrected(corrections, desk.title)
        found += map(_recorded, await desk.services.accounts.audit(limit=SHOWN))
        found += map(_promoted, assistant.registry.history()[-SHOWN:])
        people = sorted({line.by for line in found if line.by})
        lines = sorted((one for one in found if by in ("", one.by)), key=_time, reverse=True)
        return await desk.page(
            request, "audit.html", lines=lines[:SHOWN], people=people, chosen=by, most=SHOWN
        )

    return router


def corrected(corrections: Iterable[Correction], title: Callable[[str], str]) -> list[Line]:
    """What became of corrections, whoever decided it where; `title` names intents for people."""
    return [
        Line(change.at, change.by, change.state, one.text, became=_became(one, title))
        for one in corrections
        if one.trust == "reviewer"
        for change in one.history
    ]


def _became(correction: Correction, title: Callable[[str], str]) -> str:
    """What a correction says: the right intent, entities, answer."""
    parts = [title(correction.intent)] if correction.intent else []
    parts += [f"{e.label} “{correction.text[e.start : e.end]}”" for e in correction.entities or ()]
    return ", ".join([*parts, *([f"“{correction.answer}”"] if correction.answer else [])])


def _recorded(entry: Mapping[str, Any]) -> Line:
    at = datetime.fromisoformat(entry["at"])
    return Line(at, entry["who"], entry["action"], entry["subject"])


def _promoted(promotion: Promotion) -> Line:
    what = f"{promotion.id} {promotion.reason}".strip()
    link = f"/review/models/{promotion.id}"
    return Line(promotion.at, promotion.by or "terminal", promotion.action, what, link)


def _time(line: Line) -> datetime:
    return line.at
