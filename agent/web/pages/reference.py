"""The page /docs: every route of the HTTP interface, from the OpenAPI document."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response

from agent.web.pages.templates import render

SECTIONS = {
    "chat": "Chat",
    "channels": "Rasa's channels",
    "rasa": "Rasa's HTTP surface",
    "review": "Review and models",
    "recommendations": "Recommendations",
    "health": "Health and metrics",
}
_ACCESS = {
    "conversation": "Authorization: Bearer, the conversation's token",
    "token": "?token=, the server's token",
    "session": "a reviewer's session cookie",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    required: bool
    about: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: what it takes, what it answers, who may call it, and a call to try."""

    method: str
    path: str
    about: str
    access: tuple[str, ...]
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answer: tuple[Field, ...]
    status: str
    call: str

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"{self.method} {self.path}".replace("/", "-").replace(" ", "").strip("{}-")


def reference(app: FastAPI, request: Request) -> Response:
    """The page: sections of operations."""
    document = app.openapi()
    origin = str(request.base_url).rstrip("/")
    sections = {title: operations(document, tag, origin) for tag, title in SECTIONS.items()}
    shown = {title: found for title, found in sections.items() if found}
    return render("reference.html", sections=shown, version=document["info"]["version"])


def operations(document: Mapping[str, Any], tag: str, origin: str) -> list[Operation]:
    """The operations of one section, in the document's order."""
    return [
        _operation(document, method, path, found, origin)
        for path, methods in document["paths"].items()
        for method, found in methods.items()
        if tag in found.get("tags", ())
    ]


def _operation(
    document: Mapping[str, Any], method: str, path: str, found: Mapping[str, Any], origin: str
) -> Operation:
    body = _json_schema(found.get("requestBody", {}))
    status = next((code for code in found["responses"] if code.startswith("2")), "")
    ways = [name for way in found.get("security", ()) for name in way]
    return Operation(
        method=method.upper(),
        path=path,
        about=found.get("description", "").replace("`", ""),
        access=tuple(_ACCESS[name] for name in ways),
        parameters=tuple(
            Field(
                one["name"],
                f"{one['in']}, {_kind(document, one['schema'])}",
                one.get("required", False),
                one.get("description", ""),
            )
            for one in found.get("parameters", ())
        ),
        body=tuple(_fields(document, body)),
        answer=tuple(_fields(document, _json_schema(found["responses"].get(status, {})))),
        status=status,
        call=_call(document, method, f"{origin}{path}", body, ways),
    )


def _json_schema(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Field]:
    resolved = _resolved(document, schema)
    required = resolved.get("required", ())
    for name, inner in resolved.get("properties", {}).items():
        yield Field(name, _kind(document, inner), name in required, inner.get("description", ""))


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference names."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema in a few words.

    >>> _kind({}, {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}})
    'list of string'
    """
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        kinds = (_kind(document, one) for one in choices if one.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if values := schema.get("enum"):
        return " or ".join(json.dumps(value) for value in values)
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    if "$ref" in schema:
        fields = _resolved(document, schema).get("properties", {})
        return f"{{{', '.join(fields)}}}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _call(
    document: Mapping[str, Any], method: str, url: str, schema: Mapping[str, Any], ways: list[str]
) -> str:
    """The operation as a line for a shell."""
    parts = ["curl"] if method == "get" else ["curl", "-X", method.upper()]
    if "conversation" in ways:
        parts += ["-H", "'Authorization: Bearer TOKEN'"]
    if schema:
        body = _example(document, schema)
        data = shlex.quote(json.dumps(body, ensure_ascii=False))
        parts += ["-H", "'Content-Type: application/json'", "-d", data]
    return " ".join([*parts, f"'{url}'" if "{" in url else url])


def _example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """A value of the schema with only what it needs."""
    resolved = _resolved(document, schema)
    if "enum" in resolved:
        return resolved["enum"][0]
    if choices := resolved.get("anyOf"):
        return _example(document, choices[0])
    kind = resolved.get("type")
    if kind == "object":
        inner = resolved.get("properties", {})
        return {name: _example(document, inner[name]) for name in resolved.get("required", ())}
    if kind == "array":
        return [_example(document, resolved.get("items", {}))]
    return {"string": "…", "integer": 1, "number": 1.0, "boolean": True}.get(str(kind))
