"""Knowledge gaps: questions that nothing answered, similar ones together, for authors to fill."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from agent.actions.knowledge import KnowledgeBase
from agent.assemble import Assistant
from agent.dialogue.names import ACTION_DEFAULT_FALLBACK
from agent.errors import AgentError
from agent.feedback.gaps import Gap, Question, ask, group, look_up, unanswered
from agent.understanding.interpreter import Interpreter
from agent.web.pages.desk import Desk, PageRoute
from agent.web.pages.kept import Kept

SCANNED = 5_000
ANSWERED = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gaps:
    """What waits for an author, and what the knowledge answers by now."""

    waiting: Sequence[Gap]
    answered: Sequence[Gap]


def build_router(desk: Desk) -> APIRouter:
    """The route /review/gaps."""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)
    gaps = Kept(lambda: _gaps(desk.services.assistant))

    @router.get("/gaps")
    async def show_gaps(request: Request) -> Response:
        await desk.user(request)
        return await desk.page(request, "gaps.html", gaps=await gaps.get(), scanned=SCANNED)

    return router


async def _gaps(assistant: Assistant) -> Gaps:
    scanned = assistant.store.scan_turns(limit=SCANNED, holding=[ACTION_DEFAULT_FALLBACK])
    turns = [turn async for turn in scanned if unanswered(turn)]
    brain = assistant.brains.loaded

    def grouped() -> Gaps:
        asked = look_again(still_open(ask(turns), brain.interpreter), brain.knowledge)
        # A language model declines passages that do not answer: then a person has to look.
        closed = brain.knowledge is not None and brain.knowledge.generator is None
        answered = [question for question in asked if closed and question.found]
        waiting = [question for question in asked if not (closed and question.found)]
        encode = brain.interpreter.encode
        return Gaps(group(waiting, encode), group(answered, encode)[:ANSWERED])

    return await asyncio.to_thread(grouped)


def look_again(questions: Sequence[Question], base: KnowledgeBase | None) -> list[Question]:
    """The questions with what the knowledge base has for each now; nothing while it is broken."""
    if base is None:
        return list(questions)
    try:
        return look_up(questions, base.retriever.search)
    except AgentError as error:
        _log.warning("whether gaps are filled meanwhile is not known: %s", error)
        return list(questions)


def still_open(questions: Sequence[Question], interpreter: Interpreter) -> list[Question]:
    """The questions that no correction answers meanwhile."""
    heard = interpreter.understand([question.text for question in questions])
    return [q for q, now in zip(questions, heard, strict=True) if now.source != "correction"]
