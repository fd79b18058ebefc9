"""create_app: the FastAPI application from finished services."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from agent.web import api, health, recommend_api, review_api
from agent.web.channels import callback, rest
from agent.web.errors import VERSION, add_error_handlers
from agent.web.openapi import describe
from agent.web.pages import router as pages
from agent.web.rasa import about, conversations, model
from agent.web.security.headers import protect
from agent.web.services import Services

_DESCRIPTION = "A conversational agent that people correct; Rasa's HTTP surface and our own."


def create_app(services: Services) -> FastAPI:
    """The application; every route works with `services`.

    Raises:
        InputError: a channel of `credentials.yml` is not sound.
    """
    app = FastAPI(
        title="intent-agent",
        description=_DESCRIPTION,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        telemetry=_telemetry(services.settings.tracing),
    )
    app.state.services = services
    add_error_handlers(app)
    # Routes are tried in order: those of every message come first.
    app.include_router(api.build_router(services))
    _add_channels(app, services)
    for part in (health, about, conversations, model, review_api, recommend_api, pages):
        app.include_router(part.build_router(services))
    protect(app, services)
    describe(app)
    return app


def _add_channels(app: FastAPI, services: Services) -> None:
    """The channels that `credentials.yml` lists; REST is there on loopback in any case."""
    listed: Mapping[str, Any] = services.assistant.connections.credentials
    if rest.NAME in listed or services.loopback:
        app.include_router(rest.build_router(services, listed.get(rest.NAME) or {}))
    if callback.NAME in listed:
        app.include_router(callback.build_router(services, listed[callback.NAME] or {}))
    if "socketio" in listed:
        from agent.web.channels import socketio  # loads slowly

        path, application = socketio.build(services, listed["socketio"] or {})
        app.mount(path, application)
        app.include_router(socketio.build_router())


def _telemetry(wanted: bool) -> TelemetryConfig:
    """Traces by OpenTelemetry's own environment variables, if wanted; logs hold no bodies."""
    if not wanted:
        return {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
    return {
        "auto_configure": True,
        "logs": False,
        "operation_spans": False,
        "metrics": False,
        # A trace holds the URL, and some URLs hold Rasa's token.
        "exclude": lambda scope: b"token=" in scope.get("query_string", b""),
    }
