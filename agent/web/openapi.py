"""The OpenAPI document: what FastAPI finds, with our errors in the place of its own."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_ERROR = {
    "title": "Error",
    "type": "object",
    "required": ["version", "status", "message", "reason", "details", "help", "code"],
    "properties": {
        "version": {"type": "string"},
        "status": {"type": "string", "const": "failure"},
        "message": {"type": "string", "description": "One sentence for people."},
        "reason": {"type": "string"},
        "details": {"type": "object"},
        "help": {"type": ["string", "null"]},
        "code": {"type": "integer"},
    },
}
_RESPONSES = {
    "4XX": "The request is refused; 429 says in Retry-After when to come back.",
    "503": "It cannot be done now; Retry-After says when to come back.",
}
_METHODS = ("get", "put", "post", "delete")


def describe(app: FastAPI) -> None:
    """Let an application answer /openapi.json with our document, made when it is first asked."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Error"] = _ERROR
    components["securitySchemes"] = {
        "conversation": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "token": {"type": "apiKey", "in": "query", "name": "token"},
        "session": {"type": "apiKey", "in": "cookie", "name": "agent_session"},
    }
    for path, operations in found["paths"].items():
        for method in _METHODS:
            if method in operations:
                _finish(path, operations[method])
    return found


def _finish(path: str, operation: dict[str, Any]) -> None:
    """Errors in our shape, and which credentials open a path."""
    responses = operation["responses"]
    responses.pop("422", None)
    for status, description in _RESPONSES.items():
        responses.setdefault(
            status,
            {
                "description": description,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        )
    tags = operation.get("tags", [])
    if "chat" in tags and path != "/api/conversations":
        operation["security"] = [{"conversation": []}]
    elif "review" in tags:
        operation["security"] = [{"session": []}, {"token": []}, {}]
    elif "rasa" in tags and path not in ("/", "/version"):
        operation["security"] = [{"token": []}, {"session": []}, {}]
