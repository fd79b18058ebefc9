"""/healthz, /readyz and /metrics: for those who watch the server."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from agent.errors import AgentError
from agent.web.metrics import CONTENT_TYPE
from agent.web.services import Services

_DURABLE = ("always", "everysec")


class Health(BaseModel):
    """The process lives."""

    status: str


class Readiness(BaseModel):
    """Whether turns are answered, and what does not work as it should."""

    ready: bool
    model: str | None
    store: str
    durability: str | None
    spool_bytes: int
    turns_in_work: int
    warnings: list[str]


def build_router(services: Services) -> APIRouter:
    """The routes; /metrics needs credentials where any are asked for."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> Health:
        """The process lives."""
        return Health(status="ok")

    @router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
    async def readyz() -> Response:
        """Whether it can answer. Redis away is a warning: answers go on, and are spooled."""
        found = await _look(services)
        return JSONResponse(found, 200 if found["ready"] else 503)

    @router.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """Prometheus' text format."""
        await services.access.staff(request)
        text = await services.metrics.text(services.turns.in_work)
        return Response(text, media_type=CONTENT_TYPE)

    return router


async def _look(services: Services) -> dict[str, Any]:
    store, warnings = services.assistant.store, list(services.assistant.notices)
    model: str | None = None
    try:
        model = services.assistant.brains.loaded.model_version
    except AgentError as error:
        warnings.append(str(error))
    reached, durability = "ok", None
    try:
        durability = await store.durability()
    except AgentError:
        reached = "away"
        warnings.append("Redis is away: turns and feedback wait on this machine's disk")
    if durability is not None and durability not in _DURABLE:
        warnings.append(f"Redis writes to its disk: {durability}; what was said may be lost")
    waiting = 0 if store.spool is None else store.spool.size()
    if waiting and reached == "ok":
        warnings.append(f"{waiting} bytes of the spool wait to be written to Redis")
    return {
        "ready": model is not None,
        "model": model,
        "store": reached,
        "durability": durability,
        "spool_bytes": waiting,
        "turns_in_work": services.turns.in_work,
        "warnings": warnings,
    }
