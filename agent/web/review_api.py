"""/api/review and /api/models: what staff do by program; the pages do the same for people."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from agent.feedback.correction import Correction, State
from agent.feedback.correction_json import to_dict
from agent.web.schemas import Amendment, FeedbackTaken, ModelOut, Reason
from agent.web.security.access import User
from agent.web.services import Services

Id = Annotated[str, Path(max_length=64)]


def build_router(services: Services) -> APIRouter:
    """The routes of reviewers; models are an admin's."""
    router = APIRouter(prefix="/api", tags=["review"])
    assistant, access = services.assistant, services.access

    @router.get("/review")
    async def list_corrections(
        request: Request,
        state: State = "pending",
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> list[dict[str, Any]]:
        """Corrections in a state, the latest first."""
        await access.staff(request)
        found = await assistant.feedback.list(state, limit=limit, newest=True)
        return [to_dict(one) for one in found]

    @router.post("/review/{correction_id}/accept")
    async def accept(
        request: Request, correction_id: Id, body: Reason | None = None
    ) -> FeedbackTaken:
        """Let a correction count."""
        user = await access.staff(request)
        reason = body.reason if body else ""
        taken = await assistant.feedback.accept(correction_id, by=user.name, reason=reason)
        return await _done(user, "accepted", taken)

    @router.post("/review/{correction_id}/reject")
    async def reject(
        request: Request, correction_id: Id, body: Reason | None = None
    ) -> FeedbackTaken:
        """Let a correction not count."""
        user = await access.staff(request)
        reason = body.reason if body else ""
        taken = await assistant.feedback.reject(correction_id, by=user.name, reason=reason)
        return await _done(user, "rejected", taken)

    @router.post("/review/{correction_id}/undo")
    async def undo(request: Request, correction_id: Id) -> FeedbackTaken:
        """Put a decided correction back into the queue."""
        user = await access.staff(request)
        taken = await assistant.feedback.move(correction_id, "pending", by=user.name)
        return await _done(user, "put back", taken)

    @router.post("/review/{correction_id}/correct")
    async def correct(request: Request, correction_id: Id, body: Amendment) -> FeedbackTaken:
        """Accept a correction with what the reviewer puts right in it."""
        user = await access.staff(request)
        given = body.entities
        entities = None if given is None else [one.annotation() for one in given]
        taken = await assistant.feedback.accept(
            correction_id,
            by=user.name,
            reason=body.reason,
            intent=body.intent,
            entities=entities,
            answer=body.answer,
        )
        return await _done(user, "corrected", taken)

    @router.get("/models")
    async def list_models(request: Request) -> list[ModelOut]:
        """The versions, newest first, with their reports."""
        await access.staff(request)
        return [
            ModelOut(id=v.id, state=v.state, parent=v.parent, report=dict(v.report))
            for v in await asyncio.to_thread(assistant.registry.versions)
        ]

    @router.post("/models/{version_id}/promote")
    async def promote(request: Request, version_id: Id) -> ModelOut:
        """Let a version serve from the next turn on."""
        user = await access.staff(request, "admin")
        found = await asyncio.to_thread(assistant.registry.promote, version_id, by=user.name)
        return await _serves(user, "promoted", found.id)

    @router.post("/models/rollback")
    async def rollback(request: Request) -> ModelOut:
        """Let the version serve that served before."""
        user = await access.staff(request, "admin")
        found = await asyncio.to_thread(assistant.registry.rollback, by=user.name)
        return await _serves(user, "rolled back to", found.id)

    async def _done(user: User, action: str, taken: Correction) -> FeedbackTaken:
        await services.accounts.record(user.name, action, taken.id)
        return FeedbackTaken(id=taken.id, state=taken.state)

    async def _serves(user: User, action: str, version_id: str) -> ModelOut:
        await services.accounts.record(user.name, action, version_id)
        await assistant.store.announce({"model": version_id, "action": "promoted"})
        found = await asyncio.to_thread(assistant.registry.version, version_id)
        return ModelOut(
            id=found.id, state=found.state, parent=found.parent, report=dict(found.report)
        )

    return router
