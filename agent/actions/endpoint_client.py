"""Talks to a server named in `endpoints.yml`: credentials, time-outs, retries only when safe."""

import asyncio
import contextlib
import json
import ssl
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from agent.actions.events_json import encode
from agent.errors import ActionError, InputError
from agent.project.types import Endpoint

_CONNECT_TIMEOUT_S = 5.0
_RETRY_PAUSES_S = (0.1, 0.4)
_SHOWN_CHARS = 200


class EndpointClient:
    """Sends JSON to one endpoint; every error is an ActionError in the action's name.

    Args:
        endpoint: the URL with its headers and credentials.
        role: what the server is, for messages (`action server`).
        timeout_s: seconds to wait for an answer.
        compress: whether requests are sent deflated.

    Raises:
        InputError: a certificate file of the endpoint cannot be used.
    """

    def __init__(
        self, endpoint: Endpoint, role: str, timeout_s: float, *, compress: bool = False
    ) -> None:
        self.url, self.compress = endpoint.url, compress
        self._role, self._timeout_s = f"the {role} at {endpoint.url}", timeout_s
        # Environment proxies are not for a server that the project names itself.
        self._client = httpx2.AsyncClient(
            verify=_tls(endpoint),
            headers=dict(endpoint.headers),
            params={endpoint.token_name: endpoint.token} if endpoint.token else None,
            auth=endpoint.basic_auth,
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S)),
            trust_env=False,
        )

    async def get(self, action: str, url: str) -> httpx2.Response:
        """The answer to a GET of another URL of the same server."""
        return await self._send(action, self._client.build_request("GET", url))

    async def post(
        self, action: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """The answer to a POST of `body`, whatever its status.

        Raises:
            ActionError: the server cannot be reached, is too slow, or breaks off.
        """
        content = encode(body)
        sent = {"Content-Type": "application/json", **(headers or {})}
        if self.compress:
            content = zlib.compress(content)
            sent["Content-Encoding"] = "deflate"
        try:
            request = self._client.build_request("POST", self.url, content=content, headers=sent)
        except httpx2.InvalidURL as error:
            message = f"{self.url!r} in endpoints.yml is no URL: {error}"
            raise ActionError(action, message) from error
        return await self._send(action, request)

    def json(self, action: str, response: httpx2.Response, wanted: str) -> Any:
        """The JSON of an answer, None for an empty one; `wanted` says what it should be."""
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise self.unexpected(action, response, wanted) from error

    def unexpected(self, action: str, response: httpx2.Response, wanted: str) -> ActionError:
        """The error for an answer that cannot be used; the server's own words are in it."""
        said = response.text
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = str(json.loads(said)["error"])
        said = " ".join(said.split())[:_SHOWN_CHARS] or "nothing"
        if response.status_code == 200:
            return ActionError(action, f"{self._role} must answer {wanted}, not {said}")
        # rasa-sdk cannot read a deflated request again to tell what failed in it.
        hint = "; its log has the reason" if self.compress and response.status_code == 400 else ""
        return ActionError(action, f"{self._role} answered {response.status_code}: {said}{hint}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, action: str, request: httpx2.Request) -> httpx2.Response:
        """Send a request; again, twice at most, if it could not reach the server at all."""
        for pause_s in (*_RETRY_PAUSES_S, None):
            try:
                return await self._client.send(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if pause_s is None:
                    message = f"{self._role} cannot be reached: {_reason(error)}; is it running?"
                    raise ActionError(action, message) from error
                await asyncio.sleep(pause_s)
            except httpx2.TimeoutException as error:
                message = f"{self._role} gave no answer within {self._timeout_s:g} s"
                raise ActionError(action, message) from error
            except httpx2.HTTPError as error:
                message = f"{self._role} broke off: {_reason(error)}"
                raise ActionError(action, message) from error
        raise AssertionError("the last attempt returns or raises")


def read_certificate(path: str | None) -> bytes | None:
    """A certificate or key file of `endpoints.yml`, None where none is named.

    Raises:
        InputError: it cannot be read.
    """
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"named in endpoints.yml, cannot be read: {reason}", path=path) from error


def _tls(endpoint: Endpoint) -> ssl.SSLContext | bool:
    """Whom to trust and how to show who we are; True: as the system does.

    Raises:
        InputError: a certificate file cannot be read or is none.
    """
    if not endpoint.cafile and not endpoint.client_cert:
        return True
    for path in (endpoint.cafile, endpoint.client_cert, endpoint.client_key):
        read_certificate(path)
    try:
        context = ssl.create_default_context(cafile=endpoint.cafile)
        if endpoint.client_cert:
            context.load_cert_chain(endpoint.client_cert, endpoint.client_key)
    except ssl.SSLError as error:
        paths = ", ".join(filter(None, (endpoint.cafile, endpoint.client_cert)))
        raise InputError(
            f"not a usable certificate: {error.reason or error}", path=paths
        ) from error
    return context


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
