"""What every response tells the browser: what it may load, frame and send; request ids; CORS."""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.settings import ServerSettings
from agent.turn import new_id
from agent.web.errors import HttpError, error_response
from agent.web.logs import request_id
from agent.web.services import Services

REQUEST_ID = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_CORS_HEADERS = ("Authorization", "Content-Type", "Accept", "Last-Event-ID", "X-CSRF-Token")
_EMBEDDED = "/widget.js"  # the one file that other sites' pages load


def protect(app: FastAPI, services: Services) -> None:
    """Put the headers, the host check, CORS and the limit of bodies around an application."""
    settings = services.settings
    # FastAPI's own limit stands outside of every middleware: its refusals would not be ours.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body_bytes)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=list(_CORS_HEADERS),
            expose_headers=["Retry-After", REQUEST_ID],
            max_age=600,
        )
    app.add_middleware(SecurityHeaders, settings=settings, loopback=services.loopback)


class SecurityHeaders:
    """Adds the headers of `headers_for` and a request id to every response.

    On loopback only names of this machine are served, so that no foreign name that
    points here (DNS rebinding) gives another site's pages what needs no credentials here.
    """

    def __init__(self, app: ASGIApp, *, settings: ServerSettings, loopback: bool) -> None:
        self._app, self._loopback = app, loopback
        self._headers = [(k.encode(), v.encode()) for k, v in headers_for(settings)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._loopback and not is_local_name(headers.get("host", "")):
            await self._refuse(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        given = headers.get(REQUEST_ID, "")
        identifier = given if _ID.fullmatch(given) else new_id()
        request_id.set(identifier)

        async def with_headers(message: Message) -> None:
            if _is_too_large(message):
                raise _TooLargeError
            if message["type"] == "http.response.start":
                self._add(message, scope["path"], identifier)
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except _TooLargeError:
            answer = error_response(HttpError(413, "the body is too large"))
            await answer(scope, receive, with_headers)

    def _add(self, message: Message, path: str, identifier: str) -> None:
        found = message.setdefault("headers", [])
        found.append((REQUEST_ID.encode(), identifier.encode()))
        present = {name.lower() for name, _ in found}
        found.extend(pair for pair in self._headers if pair[0] not in present)
        if path == _EMBEDDED:
            MutableHeaders(raw=found)["cross-origin-resource-policy"] = "cross-origin"

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = error_response(HttpError(421, "this name is not served here: use localhost"))
        await answer(scope, receive, send)


class _TooLargeError(Exception):
    """The framework refuses a body, in a shape that is not ours."""


def _is_too_large(message: Message) -> bool:
    if message["type"] != "http.response.start" or message["status"] != 413:
        return False
    return not Headers(raw=message["headers"]).get("content-type", "").startswith("application/")


def headers_for(settings: ServerSettings) -> Iterable[tuple[str, str]]:
    """The headers of every response, in lower case."""
    ancestors = " ".join(settings.frame_ancestors) or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )
    yield "content-security-policy", policy
    yield "x-content-type-options", "nosniff"
    yield "referrer-policy", "same-origin"  # no-referrer would send our own forms as Origin: null
    yield "cross-origin-resource-policy", "same-origin"
    yield "cross-origin-opener-policy", "same-origin"
    yield "permissions-policy", "camera=(), geolocation=(), microphone=()"
    yield "cache-control", "no-store"
    if not settings.frame_ancestors:
        yield "x-frame-options", "DENY"


def is_local_name(host: str) -> bool:
    """Whether a Host header names this machine: localhost, or an address.

    >>> is_local_name("localhost:5005"), is_local_name("[::1]:5005"), is_local_name("evil.example")
    (True, True, False)
    """
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
