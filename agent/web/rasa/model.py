"""/model/… and /domain."""

import asyncio
import json
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from ruamel.yaml import YAML
from starlette.responses import Response

from agent.dialogue.tracker import Tracker
from agent.errors import ModelError
from agent.turn import new_id
from agent.understanding.rasa_format import parse_result
from agent.web.dialogue import read_events
from agent.web.errors import HttpError
from agent.web.rasa.bodies import JsonRoute
from agent.web.rasa.conversations import Include, prediction
from agent.web.services import Services

_YAML = ("application/yaml", "application/x-yaml", "text/yaml")
_DOCUMENT = {
    "requestBody": {
        "required": True,
        "content": {"application/yaml": {"schema": {"type": "string"}}},
    }
}


class ParseIn(BaseModel):
    """A message to understand."""

    text: Annotated[str, Field(max_length=20_000)]
    message_id: Annotated[str, Field(max_length=200)] | None = None


class ModelIn(BaseModel):
    """Which model is to serve: a folder under models/, or its id."""

    model_file: Annotated[str, Field(min_length=1, max_length=1_000)]


Unused = Annotated[str | None, Query(max_length=1_000, description="Refused: not run here.")]


def build_router(services: Services) -> APIRouter:
    """The routes of the model; an admin's, but for parsing, which any caller may."""
    router = APIRouter(tags=["rasa"], route_class=JsonRoute)
    assistant, access = services.assistant, services.access

    @router.post("/model/parse")
    async def parse(
        request: Request, body: ParseIn, emulation_mode: Unused = None
    ) -> dict[str, Any]:
        """What a message means, without a conversation."""
        await access.api(request)
        _refuse("emulation_mode", emulation_mode, "answers come in Rasa's own shape only")
        brain = await assistant.brains.current()
        result = parse_result(await assistant.brains.parse(brain, body.text))
        return {**result, "message_id": body.message_id or new_id()}

    @router.post("/model/predict")
    async def predict(
        request: Request,
        events: Annotated[list[dict[str, Any]], Body()],
        include_events: Include = "AFTER_RESTART",
    ) -> dict[str, Any]:
        """The next action of a conversation that is given by its events."""
        await access.api(request)
        brain = await assistant.brains.current()
        read = read_events(events) if events else []
        tracker = Tracker("default", brain.domain, read)
        return prediction(tracker, brain.policies.decide(tracker), include_events)

    @router.put("/model", status_code=204)
    async def replace_model(request: Request, body: ModelIn) -> Response:
        """Let another model serve."""
        user = await access.api(request)
        name = Path(body.model_file.rstrip("/")).name.removesuffix(".tar.gz")
        if not name.isprintable():
            raise HttpError(400, "model_file names no model")
        try:
            await asyncio.to_thread(assistant.registry.promote, name, by=user.name, reason="HTTP")
        except ModelError as error:
            raise HttpError(400, str(error)) from error
        assistant.brains.unloaded = False
        await assistant.brains.current()
        await assistant.store.announce({"model": name, "action": "promoted", "by": user.name})
        return Response(status_code=204)

    @router.delete("/model", status_code=204)
    async def unload_model(request: Request) -> Response:
        """Serve nothing until another model is put; for this process alone."""
        await access.api(request)
        assistant.brains.unloaded = True
        return Response(status_code=204)

    @router.post("/model/train", openapi_extra=_DOCUMENT)
    async def train(request: Request, save_to_default_model_directory: bool = True) -> Response:
        """Train a project given as one YAML document; the answer is the model as tar.gz."""
        await access.api(request)
        name, packed = await services.jobs.train(
            await request.body(), keep=save_to_default_model_directory
        )
        headers = {
            "filename": f"{name}.tar.gz",
            "Content-Disposition": f'attachment; filename="{name}.tar.gz"',
        }
        return Response(packed, media_type="application/gzip", headers=headers)

    @router.post("/model/test/stories", openapi_extra=_DOCUMENT)
    async def test_stories(request: Request, e2e: bool = False) -> dict[str, Any]:
        """Test the serving model on stories given as YAML."""
        await access.api(request)
        found = (await services.jobs.test("--stories", await request.body(), ".yml"))["stories"]
        total = found["passed"] + found["failed"]
        return {
            "accuracy": found["passed"] / total if total else None,
            "is_end_to_end_evaluation": e2e,
            "report": {"conversation_accuracy": {
                "accuracy": found["passed"] / total if total else None,
                "correct": found["passed"],
                "total": total,
            }},
            "failures": found["failures"],
        }  # fmt: skip

    @router.post("/model/test/intents", openapi_extra=_DOCUMENT)
    async def test_intents(
        request: Request, model: Unused = None, cross_validation_folds: Unused = None
    ) -> dict[str, Any]:
        """Test the serving model on examples given as YAML."""
        await access.api(request)
        _refuse("model", model, "only the serving model is tested")
        hint = "`agent test --cross-validation` does it"
        _refuse("cross_validation_folds", cross_validation_folds, hint)
        found = await services.jobs.test("--nlu", await request.body(), ".yml")
        return {
            "intent_evaluation": found.get("intent", {}),
            "entity_evaluation": found.get("entity", {}),
            "out_of_scope_evaluation": found.get("oos", {}),
        }

    @router.get("/domain")
    async def domain(request: Request) -> Response:
        """The serving model's domain, as JSON or YAML."""
        await access.api(request)
        raw = dict((await assistant.brains.current()).domain.raw)
        return _domain(raw, request.headers.get("accept", ""))

    return router


def _refuse(name: str, value: object, hint: str) -> None:
    """Refuse what Rasa's server can and this one cannot, rather than leave it out in silence."""
    if value is not None:
        details = {"parameter": name, "in": "query"}
        raise HttpError(400, f"`{name}` is not run here ({hint}): leave it out", details=details)


def _domain(raw: dict[str, Any], accept: str) -> Response:
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    if not kinds or any(kind in ("application/json", "application/*", "*/*") for kind in kinds):
        return JSONResponse(raw)
    if any(kind in _YAML for kind in kinds):
        # Through JSON, so that nothing but plain values is dumped.
        plain, out = json.loads(json.dumps(raw, default=str)), StringIO()
        YAML(typ="safe", pure=True).dump(plain, out)
        return Response(out.getvalue(), media_type="application/x-yaml")
    raise HttpError(406, f"Invalid Accept header. Domain can be provided as json or yaml; {accept}")
