"""Errors as HTTP responses, in Rasa's shape."""

import logging
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent.errors import AgentError, InputError, ModelError, StoreError
from agent.feedback.correction import QuotaError
from agent.storage.corrections import ConflictError
from agent.web.security.limits import TooManyError
from agent.web.turns import BusyError

_log = logging.getLogger(__name__)
VERSION = version("intent-agent")
RASA_VERSION = "3.6.21"
"""The Rasa whose surface this is; clients compare their own needs with it."""
_REASONS = {
    400: "BadRequest",
    401: "NotAuthenticated",
    403: "NotAuthorized",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    422: "BadRequest",
    429: "TooManyRequests",
    503: "Unavailable",
}
_REDIRECTS = (302, 303, 307, 308)


class HttpError(Exception):
    """A request that is refused.

    Args:
        status: the HTTP status code.
        message: one sentence for people.
        reason: Rasa's word for it; by the status unless given.
        details: facts for programs.
        headers: response headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        reason: str | None = None,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.message = status, message
        self.reason = reason or _REASONS.get(status, "UnexpectedError")
        self.details, self.headers = details or {}, headers
        super().__init__(message)


def error_response(error: HttpError) -> JSONResponse:
    """The response with Rasa's error body."""
    body = {
        "version": RASA_VERSION,
        "status": "failure",
        "message": error.message,
        "reason": error.reason,
        "details": error.details,
        "help": None,
        "code": error.status,
    }
    return JSONResponse(body, error.status, error.headers)


def as_http(error: AgentError) -> HttpError:
    """What an error of ours is over HTTP."""
    if isinstance(error, BusyError | TooManyError | QuotaError):
        return HttpError(429, str(error), headers={"Retry-After": str(error.retry_after_s)})
    if isinstance(error, ConflictError):
        return HttpError(409, str(error))
    if isinstance(error, ModelError):
        return HttpError(409, str(error))
    if isinstance(error, InputError):
        return HttpError(400, str(error))
    if isinstance(error, StoreError):
        return HttpError(503, str(error), headers={"Retry-After": "1"})
    return HttpError(500, str(error))


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error with the one body."""

    @app.exception_handler(HttpError)
    async def refused(_: Request, error: HttpError) -> Response:
        if error.status in _REDIRECTS:
            return Response(status_code=error.status, headers=error.headers)
        return error_response(error)

    @app.exception_handler(AgentError)
    async def failed(_: Request, error: AgentError) -> JSONResponse:
        return error_response(as_http(error))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return error_response(HttpError(error.status_code, str(error.detail), headers=headers))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", exc_info=error)
        return error_response(HttpError(500, "An unexpected error occurred."))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return error_response(HttpError(400, "the body is no JSON", details={"in": "body"}))
        place = ".".join(str(part) for part in first["loc"])
        where, *names = [*map(str, first["loc"]), ""]
        details = {"parameter": ".".join(filter(None, names)), "in": where}
        return error_response(HttpError(400, f"{place}: {first['msg']}", details=details))
