"""/, /version and /status."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.responses import Response

from agent.web.errors import RASA_VERSION, VERSION
from agent.web.pages.router import demo_page
from agent.web.services import Services

RASA_MINIMUM = "3.5.0"


class VersionOut(BaseModel):
    """Which Rasa this surface is that of, and our own version."""

    version: str
    minimum_compatible_version: str
    intent_agent: str


class StatusOut(BaseModel):
    """What is loaded."""

    model_file: str
    model_id: str
    num_active_training_jobs: int


def build_router(services: Services) -> APIRouter:
    """The routes that tell about the server."""
    router = APIRouter(tags=["rasa"])

    @router.get("/", response_class=PlainTextResponse)
    async def hello(request: Request) -> Response:
        """Rasa's greeting; a browser gets the demo page."""
        if "text/html" in request.headers.get("accept", ""):
            return await demo_page(services, request)
        return PlainTextResponse(f"Hello from Rasa: {RASA_VERSION}")

    @router.get("/version")
    async def version() -> VersionOut:
        """Versions."""
        return VersionOut(
            version=RASA_VERSION, minimum_compatible_version=RASA_MINIMUM, intent_agent=VERSION
        )

    @router.get("/status")
    async def status(request: Request) -> StatusOut:
        """The serving model, and whether one is being trained."""
        await services.access.api(request)
        model = services.assistant.brains.loaded.model_version
        path = Path("models") / model
        return StatusOut(
            model_file=str(path),
            model_id=model,
            num_active_training_jobs=services.jobs.active,
        )

    return router
