"""Knowledge gaps: questions that nothing answered, similar ones together, for authors to fill."""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from agent.assemble import Assistant
from agent.dialogue.names import ACTION_DEFAULT_FALLBACK
from agent.feedback.gaps import Gap, Question, ask, group, unanswered
from agent.understanding.interpreter import Interpreter
from agent.web.pages.desk import Desk, PageRoute
from agent.web.pages.kept import Kept

SCANNED = 5_000


def build_router(desk: Desk) -> APIRouter:
    """The route /review/gaps."""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)
    gaps = Kept(lambda: _gaps(desk.services.assistant))

    @router.get("/gaps")
    async def show_gaps(request: Request) -> Response:
        await desk.user(request)
        return await desk.page(request, "gaps.html", gaps=await gaps.get(), scanned=SCANNED)

    return router


async def _gaps(assistant: Assistant) -> list[Gap]:
    scanned = assistant.store.scan_turns(limit=SCANNED, holding=[ACTION_DEFAULT_FALLBACK])
    turns = [turn async for turn in scanned if unanswered(turn)]
    interpreter = assistant.brains.loaded.interpreter

    def grouped() -> list[Gap]:
        return group(still_open(ask(turns), interpreter), interpreter.encode)

    return await asyncio.to_thread(grouped)


def still_open(questions: Sequence[Question], interpreter: Interpreter) -> list[Question]:
    """The questions that no correction answers meanwhile."""
    heard = interpreter.understand([question.text for question in questions])
    return [q for q, now in zip(questions, heard, strict=True) if now.source != "correction"]
