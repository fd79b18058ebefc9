"""Runs custom actions on a rasa-sdk action server over HTTP."""

import asyncio
import contextlib
import hashlib
import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from agent.actions.types import ActionRejected, ActionServerReply
from agent.errors import ActionError
from agent.project.types import Endpoint

# The version of Rasa whose protocol this is; servers warn if theirs is another.
PROTOCOL_VERSION = "3.6.21"
_CONNECT_TIMEOUT_S = 5.0
_RETRY_PAUSES_S = (0.1, 0.4)
_SHOWN_CHARS = 200
_log = logging.getLogger(__name__)


class RemoteActions:
    """The actions of an action server.

    The domain travels with every call, unless the endpoint enables the selective domain
    (then only for the actions that ask for it) or the server has shown that it keeps the
    domain by its digest (status 449).

    Args:
        endpoint: the server's `/webhook` URL with its headers and credentials.
        timeout_s: seconds to wait for an answer.
        send_domain: the actions that always need the domain.
        compress: whether requests are sent deflated.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timeout_s: float = 10.0,
        *,
        send_domain: tuple[str, ...] = (),
        compress: bool = False,
    ) -> None:
        self._endpoint, self._timeout_s = endpoint, timeout_s
        self._send_domain, self._compress = frozenset(send_domain), compress
        self._digest: tuple[Mapping[str, Any] | None, str] = (None, "")
        self._keeps_domain = False
        # Environment proxies are not for a server that the project names itself.
        self._client = httpx2.AsyncClient(
            headers=dict(endpoint.headers),
            params={endpoint.token_name: endpoint.token} if endpoint.token else None,
            auth=endpoint.basic_auth,
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S)),
            trust_env=False,
        )

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        """Run an action on the server.

        Only a request that never reached the server is sent again.

        Raises:
            ActionRejected: the action declined to run.
            ActionError: it failed, is unknown, or the server does not answer as it should.
        """
        body: dict[str, Any] = {
            "next_action": name,
            "sender_id": tracker.get("sender_id"),
            "tracker": tracker,
            "version": PROTOCOL_VERSION,
        }
        key = _idempotency_key(name, tracker)
        body["domain_digest"] = self._digest_of(domain)
        if self._needs_domain(name):
            body["domain"] = domain
        response = await self._post(name, body, key)
        if response.status_code == 449 and "domain" not in body:
            self._keeps_domain = True
            response = await self._post(name, {**body, "domain": domain}, key)
        return self._read(name, response)

    async def names(self) -> list[str]:
        """The names of the server's actions.

        Raises:
            ActionError: the server does not answer as it should.
        """
        url = self._endpoint.url.rstrip("/").removesuffix("/webhook") + "/actions"
        response = await self._send("GET /actions", self._client.build_request("GET", url), url)
        data = self._json("GET /actions", response)
        if response.status_code != 200 or not isinstance(data, list):
            raise self._unexpected("GET /actions", response)
        return [str(item["name"]) for item in data if isinstance(item, Mapping) and "name" in item]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _needs_domain(self, name: str) -> bool:
        if self._keeps_domain:
            return False
        return not self._endpoint.enable_selective_domain or name in self._send_domain

    def _digest_of(self, domain: Mapping[str, Any]) -> str:
        """The domain's digest; worked out once for each domain object."""
        if self._digest[0] is not domain:
            self._digest = (domain, hashlib.sha256(_encode(domain)).hexdigest())
        return self._digest[1]

    async def _post(self, name: str, body: Mapping[str, Any], key: str) -> httpx2.Response:
        content = _encode(body)
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._compress:
            content = zlib.compress(content)
            headers["Content-Encoding"] = "deflate"
        url = self._endpoint.url
        try:
            request = self._client.build_request("POST", url, content=content, headers=headers)
        except httpx2.InvalidURL as error:
            raise ActionError(name, f"{url!r} in endpoints.yml is no URL: {error}") from error
        return await self._send(name, request, url)

    async def _send(self, name: str, request: httpx2.Request, url: str) -> httpx2.Response:
        """Send a request; once more, twice at most, if the server could not be reached."""
        for pause_s in (*_RETRY_PAUSES_S, None):
            try:
                return await self._client.send(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if pause_s is None:
                    raise ActionError(
                        name,
                        f"the action server at {url} cannot be reached: {_reason(error)}; "
                        "is it running?",
                    ) from error
                await asyncio.sleep(pause_s)
            except httpx2.TimeoutException as error:
                message = f"the action server at {url} gave no answer within {self._timeout_s:g} s"
                raise ActionError(name, message) from error
            except httpx2.HTTPError as error:
                message = f"the action server at {url} broke off: {_reason(error)}"
                raise ActionError(name, message) from error
        raise AssertionError("the last attempt returns or raises")

    def _read(self, name: str, response: httpx2.Response) -> ActionServerReply:
        """A response as a reply, or as the error that it tells."""
        data = self._json(name, response)
        facts = data if isinstance(data, Mapping) else {}
        if response.status_code == 400 and "action_name" in facts:
            raise ActionRejected(str(facts["action_name"]), str(facts.get("error") or ""))
        if response.status_code == 404 and "action_name" in facts:
            raise ActionError(name, f"the action server at {self._endpoint.url} does not know it")
        if response.status_code != 200:
            raise self._unexpected(name, response)
        if data is None:
            return ActionServerReply()
        events, responses = facts.get("events") or [], facts.get("responses") or []
        if not isinstance(data, Mapping) or not _dicts(events) or not _dicts(responses):
            raise self._unexpected(name, response)
        return ActionServerReply(tuple(events), tuple(responses))

    def _json(self, name: str, response: httpx2.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise self._unexpected(name, response) from error

    def _unexpected(self, name: str, response: httpx2.Response) -> ActionError:
        """The error for an answer that is no reply; the server's own words are in it."""
        said = response.text
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = str(json.loads(said)["error"])
        said = " ".join(said.split())[:_SHOWN_CHARS] or "nothing"
        url = self._endpoint.url
        if response.status_code == 200:
            wanted = "an object with the lists `events` and `responses`"
            return ActionError(name, f"the action server at {url} must answer {wanted}, not {said}")
        # rasa-sdk cannot read a deflated request again to tell what failed in it.
        hint = "; its log has the reason" if self._compress and response.status_code == 400 else ""
        return ActionError(
            name, f"the action server at {url} answered {response.status_code}: {said}{hint}"
        )


def _idempotency_key(name: str, tracker: Mapping[str, Any]) -> str:
    """The same for a call that is made again from the same state of the conversation."""
    events = tracker.get("events") or []
    state = [name, tracker.get("sender_id"), len(events), list(events[-1:]), tracker.get("slots")]
    return hashlib.sha256(_encode(state)).hexdigest()[:32]


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence | set | frozenset) else str(value)


def _dicts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


__all__ = ["PROTOCOL_VERSION", "RemoteActions"]
