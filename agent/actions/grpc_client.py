"""Runs custom actions on a rasa-sdk action server over gRPC, with streamed text."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from grpc import ChannelCredentials, StatusCode, ssl_channel_credentials
from rasa_sdk.grpc_py.action_webhook_pb2 import ActionsRequest, Domain, WebhookRequest
from rasa_sdk.grpc_py.action_webhook_pb2_grpc import ActionServiceStub

from agent.actions.endpoint_client import read_certificate
from agent.actions.events_json import encode
from agent.actions.remote import PROTOCOL_VERSION, DomainDigest, idempotency_key
from agent.actions.types import ActionRejected, ActionServerReply
from agent.errors import ActionError
from agent.project.types import Endpoint

SCHEMES = ("grpc", "grpcs")
_CONNECT_TIMEOUT_S = 5.0
# The default waits up to two minutes between two tries to reach a server that was away.
_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
)


class GrpcActions:
    """The actions of an action server that speaks gRPC.

    Text that an action streams becomes one message, in the place where its stream ended. The
    domain travels with every call, unless the endpoint enables the selective domain (then
    only for the actions that ask for it) or the server asked for it and then keeps it.

    Args:
        endpoint: `grpc://host:port`; `grpcs://` or a `cafile` means TLS.
        timeout_s: seconds to wait for an answer.
        send_domain: the actions that always need the domain.

    Raises:
        InputError: a certificate file cannot be read.
    """

    def __init__(
        self, endpoint: Endpoint, timeout_s: float = 10.0, *, send_domain: tuple[str, ...] = ()
    ) -> None:
        self._endpoint, self._timeout_s, self._send_domain = endpoint, timeout_s, send_domain
        self._credentials = _credentials(endpoint)
        self._role = f"the action server at {endpoint.url}"
        self._channel: grpc.aio.Channel | None = None
        self._digest = DomainDigest()
        self._keeps_domain = False

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        """Run an action on the server; a call that reached it is never made again.

        Raises:
            ActionRejected: the action declined to run.
            ActionError: it failed, is unknown, or the server does not answer as it should.
        """
        body: dict[str, Any] = {
            "next_action": name,
            "sender_id": tracker.get("sender_id"),
            "tracker": _tracker(tracker),
            "version": PROTOCOL_VERSION,
            "domain_digest": self._digest.of(domain),
        }
        if not self._keeps_domain and (
            not self._endpoint.enable_selective_domain or name in self._send_domain
        ):
            body["domain"] = _domain(domain)
        headers = (*self._headers(), ("idempotency-key", idempotency_key(name, tracker)))
        try:
            return await self._stream(name, body, headers)
        except _DomainWantedError:
            self._keeps_domain = True
            return await self._stream(name, {**body, "domain": _domain(domain)}, headers)

    async def names(self) -> list[str]:
        """The names of the server's actions.

        Raises:
            ActionError: the server does not answer as it should.
        """
        stub = ActionServiceStub(await self._reached("the list of actions"))
        try:
            answer = await stub.Actions(
                ActionsRequest(), timeout=self._timeout_s, metadata=self._headers()
            )
        except grpc.aio.AioRpcError as error:
            raise self._failure("the list of actions", error) from error
        return [str(action["name"]) for action in MessageToDict(answer).get("actions", ())]

    async def close(self) -> None:
        """Close the connection."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def _stream(
        self, name: str, body: Mapping[str, Any], headers: tuple[tuple[str, str], ...]
    ) -> ActionServerReply:
        request = _request(name, body)
        stub = ActionServiceStub(await self._reached(name))
        streamed: list[dict[str, Any]] = []
        final: dict[str, Any] = {}
        try:
            call = stub.WebhookStream(request, timeout=self._timeout_s, metadata=headers)
            async for event in call:
                kind = event.WhichOneof("event")
                if kind == "chunk_start":
                    streamed.append({})
                elif kind == "chunk":
                    _add_chunk(streamed, _plain(event.chunk))
                elif kind == "final_result":
                    final = _plain(event.final_result)
        except grpc.aio.AioRpcError as error:
            raise self._failure(name, error) from error
        said = [message for message in streamed if message]
        responses = (*said, *final.get("responses", ()))
        return ActionServerReply(tuple(final.get("events", ())), responses)

    async def _reached(self, action: str) -> grpc.aio.Channel:
        """The channel, connected: so that what fails later has reached the server.

        Raises:
            ActionError: the server cannot be reached.
        """
        if self._channel is None:
            self._channel = _open(self._endpoint.url, self._credentials)
        limit_s = min(self._timeout_s, _CONNECT_TIMEOUT_S)
        try:
            await asyncio.wait_for(self._channel.channel_ready(), limit_s)
        except TimeoutError as error:
            message = f"{self._role} cannot be reached within {limit_s:g} s; is it running?"
            raise ActionError(action, message) from error
        return self._channel

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return tuple((key.lower(), value) for key, value in self._endpoint.headers.items())

    def _failure(self, name: str, error: grpc.aio.AioRpcError) -> Exception:
        """What a failed call means: a rejection, a missing domain, or an ActionError."""
        code, said = error.code(), error.details() or ""
        facts = _facts(said)
        if code is StatusCode.INTERNAL and "action_name" in facts:
            return ActionRejected(str(facts["action_name"]), str(facts.get("message") or ""))
        if code is StatusCode.NOT_FOUND and facts.get("resource_type") == "DOMAIN":
            return _DomainWantedError()
        if code is StatusCode.NOT_FOUND:
            return ActionError(name, f"{self._role} does not know it")
        if code is StatusCode.DEADLINE_EXCEEDED:
            return ActionError(name, f"{self._role} gave no answer within {self._timeout_s:g} s")
        if code is StatusCode.UNAVAILABLE:
            return ActionError(name, f"{self._role} broke off: {' '.join(said.split())[:200]}")
        shown = " ".join(said.split())[:200] or "no reason"
        return ActionError(name, f"{self._role} answered {code.name}: {shown}")


class _DomainWantedError(Exception):
    """The server has not this version of the domain."""


def _open(url: str, credentials: ChannelCredentials | None) -> grpc.aio.Channel:
    target = urlsplit(url).netloc
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
    return grpc.aio.secure_channel(target, credentials, options=_CHANNEL_OPTIONS)


def _credentials(endpoint: Endpoint) -> ChannelCredentials | None:
    """The certificates of a TLS connection, None where it is not encrypted."""
    if urlsplit(endpoint.url).scheme != "grpcs" and not endpoint.cafile:
        return None
    return ssl_channel_credentials(
        root_certificates=read_certificate(endpoint.cafile),
        private_key=read_certificate(endpoint.client_key),
        certificate_chain=read_certificate(endpoint.client_cert),
    )


def _request(name: str, body: Mapping[str, Any]) -> WebhookRequest:
    try:
        return ParseDict(json.loads(encode(body)), WebhookRequest(), ignore_unknown_fields=True)
    except ParseError as error:
        raise ActionError(name, f"the conversation cannot be sent over gRPC: {error}") from error


def _tracker(tracker: Mapping[str, Any]) -> dict[str, Any]:
    """The tracker as the protocol has it: a loop by its name alone, no empty fields."""
    loop = (tracker.get("active_loop") or {}).get("name")
    kept = {key: value for key, value in tracker.items() if value is not None}
    return {**kept, "active_loop": {"name": loop} if loop else {}}


def _domain(domain: Mapping[str, Any]) -> dict[str, Any]:
    """The domain's parts that the protocol has; names and mappings stand in lists of either."""
    fields = [field.name for field in Domain.DESCRIPTOR.fields]
    kept = {key: domain[key] for key in fields if domain.get(key) and key != "e2e_actions"}
    for key in ("intents", "entities", "actions"):
        kept[key] = [
            {"dict_value" if isinstance(item, Mapping) else "string_value": item}
            for item in kept.get(key, ())
        ]
    return kept


def _add_chunk(streamed: list[dict[str, Any]], chunk: dict[str, Any]) -> None:
    """Put a chunk to the message being streamed: texts are joined, the rest is kept."""
    if not streamed:
        streamed.append({})
    chunk.pop("response_id", None)
    message = streamed[-1]
    text = message.get("text", "") + chunk.pop("text", "")
    message.update({key: value for key, value in chunk.items() if value})
    if text:
        message["text"] = text


def _plain(message: Message) -> dict[str, Any]:
    """A protocol message as JSON; its numbers are all floats, whole ones become integers again."""
    plain: dict[str, Any] = _whole(MessageToDict(message, preserving_proto_field_name=True))
    return plain


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _facts(details: str) -> Mapping[str, Any]:
    try:
        facts = json.loads(details)
    except ValueError:
        return {}
    return facts if isinstance(facts, Mapping) else {}


__all__ = ["SCHEMES", "GrpcActions"]
