"""JSON bodies whatever their content type says, as Rasa's server takes them."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

_JSON = "application/json"
_CALLED = "intent_agent.called_json"


class JsonRoute(APIRoute):
    """A route whose body is JSON also where a client calls it a form (`curl -d`) or nothing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, on a request that is called JSON."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            if not says_json(request):
                request.scope[_CALLED] = False
                MutableHeaders(scope=request.scope)["content-type"] = _JSON
                request = Request(request.scope, request.receive)
            return await handle(request)

        return handle_json


def says_json(request: Request) -> bool:
    """Whether a request calls its body JSON, which no page of another site can without asking."""
    if _CALLED in request.scope:
        return bool(request.scope[_CALLED])
    kind = Headers(scope=request.scope).get("content-type", "").partition(";")[0].strip().lower()
    return kind == _JSON or (kind.startswith("application/") and kind.endswith("+json"))
