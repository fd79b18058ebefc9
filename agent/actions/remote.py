"""Runs custom actions on a rasa-sdk action server over HTTP."""

import hashlib
from collections.abc import Mapping
from typing import Any

import httpx2

from agent.actions.endpoint_client import EndpointClient
from agent.actions.events_json import encode
from agent.actions.types import ActionRejected, ActionServerReply
from agent.errors import ActionError
from agent.project.types import Endpoint

# The version of Rasa whose protocol this is; servers warn if theirs is another.
PROTOCOL_VERSION = "3.6.21"
_WANTED = "an object with the lists `events` and `responses`"


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
        self._client = EndpointClient(endpoint, "action server", timeout_s, compress=compress)
        self._selective, self._send_domain = endpoint.enable_selective_domain, send_domain
        self._digest = DomainDigest()
        self._keeps_domain = False

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
            "domain_digest": self._digest.of(domain),
        }
        if self._needs_domain(name):
            body["domain"] = domain
        headers = {"Idempotency-Key": idempotency_key(name, tracker)}
        response = await self._client.post(name, body, headers)
        if response.status_code == 449 and "domain" not in body:
            self._keeps_domain = True
            response = await self._client.post(name, {**body, "domain": domain}, headers)
        return self._read(name, response)

    async def names(self) -> list[str]:
        """The names of the server's actions.

        Raises:
            ActionError: the server does not answer as it should.
        """
        what, wanted = "GET /actions", "a list of objects with `name`"
        url = self._client.url.rstrip("/").removesuffix("/webhook") + "/actions"
        response = await self._client.get(what, url)
        data = self._client.json(what, response, wanted)
        if response.status_code != 200 or not _dicts(data):
            raise self._client.unexpected(what, response, wanted)
        return [str(item["name"]) for item in data if "name" in item]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _needs_domain(self, name: str) -> bool:
        if self._keeps_domain:
            return False
        return not self._selective or name in self._send_domain

    def _read(self, name: str, response: httpx2.Response) -> ActionServerReply:
        """A response as a reply, or as the error that it tells."""
        data = self._client.json(name, response, _WANTED)
        facts = data if isinstance(data, Mapping) else {}
        if response.status_code == 400 and "action_name" in facts:
            raise ActionRejected(str(facts["action_name"]), str(facts.get("error") or ""))
        if response.status_code == 404 and "action_name" in facts:
            raise ActionError(name, f"the action server at {self._client.url} does not know it")
        if response.status_code != 200:
            raise self._client.unexpected(name, response, _WANTED)
        events, responses = facts.get("events") or [], facts.get("responses") or []
        if (data is not None and facts is not data) or not _dicts(events) or not _dicts(responses):
            raise self._client.unexpected(name, response, _WANTED)
        return ActionServerReply(tuple(events), tuple(responses))


class DomainDigest:
    """The digest of the domain, worked out once for each domain object."""

    def __init__(self) -> None:
        self._known: tuple[Mapping[str, Any] | None, str] = (None, "")

    def of(self, domain: Mapping[str, Any]) -> str:
        """The SHA-256 of a domain's JSON, hexadecimal."""
        if self._known[0] is not domain:
            self._known = (domain, hashlib.sha256(encode(domain)).hexdigest())
        return self._known[1]


def idempotency_key(name: str, tracker: Mapping[str, Any]) -> str:
    """A call's key: the same for one made again from the same state of the conversation."""
    events = tracker.get("events") or []
    last = list(events[-1:])
    state = [name, tracker.get("sender_id"), len(events), last, tracker.get("slots")]
    return hashlib.sha256(encode(state)).hexdigest()[:32]


def _dicts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


__all__ = ["PROTOCOL_VERSION", "DomainDigest", "RemoteActions", "idempotency_key"]
