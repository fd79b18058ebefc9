"""Rasa's callback channel: replies are posted to a URL, signed."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from agent.errors import InputError
from agent.web.channels.inbound import read_rules
from agent.web.channels.rest import RestMessage
from agent.web.rasa.bodies import JsonRoute
from agent.web.replies import in_words, outlet_messages
from agent.web.services import Services

NAME = "callback"
TIMEOUT_S = 10.0
TRIES = 3
TIMESTAMP_HEADER = "X-Agent-Timestamp"
SIGNATURE_HEADER = "X-Agent-Signature"
_log = logging.getLogger(__name__)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What a receiver compares: `sha256=` and the HMAC of `timestamp.body`.

    >>> signature("secret", "0", b"{}")[:14]
    'sha256=a49e2ed'
    """
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def _client_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """`headers`, `params`, `basic_auth` and `token` of the channel, as Rasa's endpoints have them.

    Raises:
        InputError: one of them is no mapping.
    """
    found: dict[str, Any] = {}
    for name in ("headers", "params", "basic_auth"):
        value = options.get(name) or {}
        if not isinstance(value, Mapping):
            raise InputError(
                f"must be a mapping, got {value!r}", path="credentials.yml", key=f"callback.{name}"
            )
        found[name] = {str(key): str(inner) for key, inner in value.items()}
    if token := options.get("token"):
        found["params"][str(options.get("token_name") or "token")] = str(token)
    login = found.pop("basic_auth")
    auth = (login.get("username", ""), login.get("password", "")) if login else None
    return {**found, "auth": auth}


@dataclass(slots=True)
class CallbackOutlet:
    """Posts messages to a URL, each at most `TRIES` times.

    Args:
        url: where to.
        secret: signs the body with a timestamp, so that the receiver can tell us from others
            and a new message from an old one sent again; None: unsigned.
        options: of the HTTP client: headers, parameters and credentials.
    """

    url: str
    secret: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    _client: Any = None
    _order: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def send(self, recipient: str, message: Mapping[str, Any]) -> None:
        """Post one message; the messages of one recipient arrive in order."""
        lock = self._order.setdefault(recipient, asyncio.Lock())
        try:
            async with lock:
                for part in in_words(message):
                    await self._post(json.dumps(part, ensure_ascii=False).encode())
        finally:
            if not lock.locked() and not getattr(lock, "_waiters", None):
                self._order.pop(recipient, None)

    async def _post(self, body: bytes) -> None:
        for number in range(TRIES):
            try:
                answer = await self._opened().post(
                    self.url, content=body, headers=self._headers(body)
                )
                if answer.status_code < 500:
                    if answer.is_error:
                        _log.error("the callback answered %d", answer.status_code)
                    return
                problem = f"it answered {answer.status_code}"
            # Whatever the HTTP client raises, a message must not end the server.
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            _log.warning("the callback could not be reached (%s)", problem)
            await asyncio.sleep(0.2 * 4**number)
        _log.error("a message was not taken by the callback after %d tries", TRIES)

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.secret:
            stamp = str(int(time.time()))
            headers[TIMESTAMP_HEADER] = stamp
            headers[SIGNATURE_HEADER] = signature(self.secret, stamp, body)
        return headers

    def _opened(self) -> Any:
        if self._client is None:
            import httpx2  # loaded by the first message: it takes a tenth of a second

            self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, **self.options)
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()


def build_router(services: Services, options: Mapping[str, Any]) -> APIRouter:
    """`/webhooks/callback`.

    Raises:
        InputError: there is no URL.
    """
    router = APIRouter(prefix="/webhooks/callback", tags=["channels"], route_class=JsonRoute)
    rules = read_rules(NAME, options, loopback=services.loopback)
    url = options.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise InputError(
            f"must be an http(s) URL, got {url!r}", path="credentials.yml", key="callback.url"
        )
    secret = options.get("secret")
    outlet = CallbackOutlet(url, str(secret) if secret else None, _client_options(options))
    services.outlets.by_channel[NAME] = outlet
    services.closing.append(outlet.close)

    @router.get("/")
    async def health() -> dict[str, str]:
        """Whether the channel is there."""
        return {"status": "ok"}

    @router.post("/webhook", response_class=PlainTextResponse)
    async def webhook(request: Request, body: RestMessage) -> str:
        """Say something; the replies are posted to the channel's URL."""
        message = body.read(NAME)
        await rules.check_sender(services.access, request, message.conversation_id)
        turn = await services.turns.answer(message, any_payload=rules.any_payload)
        messages = outlet_messages(turn.replies)
        await services.outlets.send(NAME, message.conversation_id, messages)
        return "success"

    return router
