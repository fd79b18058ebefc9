"""Rasa's Socket.IO channel.  [door: socketio]"""

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import socketio
from fastapi import APIRouter

from agent.errors import AgentError
from agent.turn import Message, new_id
from agent.web.channels.inbound import ChannelRules, read_rules
from agent.web.replies import outlet_messages
from agent.web.security.tokens import TokenError, is_issued
from agent.web.services import Services

NAME = "socketio"
MAX_MESSAGE_BYTES = 200_000
# The options of Socket.IO's `emit`, which Rasa fills from a custom reply: its `data` is sent.
_EMITTED = {"data", "room", "to", "namespace", "skip_sid", "callback", "ignore_queue"}
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class SocketChannel:
    """The events of Rasa's channel on a Socket.IO server.

    With `session_persistence` a client names its session and finds it again. Where senders
    are not trusted the session's id is a conversation token that we issued: a client stores
    and returns what it was given, so clients written for Rasa need not know.
    """

    services: Services
    server: Any
    rules: ChannelRules
    options: Mapping[str, Any]

    def listen(self) -> None:
        """Take the events."""
        space = self.options.get("namespace") or "/"
        user_event = self.options.get("user_message_evt") or "user_uttered"
        self.server.on("connect", self._connect, namespace=space)
        self.server.on("session_request", self._session_request, namespace=space)
        self.server.on(user_event, self._user_uttered, namespace=space)

    async def send(self, recipient: str, message: Mapping[str, Any]) -> None:
        """Send one message of the REST channel's shape to a session (or connection)."""
        event = self.options.get("bot_message_evt") or "bot_uttered"
        space = self.options.get("namespace") or "/"
        for data in socket_messages(message):
            await self.server.emit(event, data, room=recipient, namespace=space)

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: Any = None) -> bool:
        key = self.options.get("jwt_key")
        if not key:
            return True
        import jwt

        token = auth.get("token") if isinstance(auth, dict) else None
        try:
            method = str(self.options.get("jwt_method") or "HS256")
            jwt.decode(str(token).removeprefix("Bearer "), str(key), algorithms=[method])
        except jwt.InvalidTokenError:
            _log.warning("a Socket.IO client without a valid token was refused")
            return False
        return True

    async def _session_request(self, sid: str, data: Any = None) -> None:
        wanted = data.get("session_id") if isinstance(data, dict) else None
        session = self._session(wanted) if isinstance(wanted, str) and wanted else None
        shown = wanted if session else None
        if session is None:
            session, shown = new_id(), None
            if not self.rules.trust_sender:
                session, shown = self.services.tokens.issue()
        space = self.options.get("namespace") or "/"
        if self._persistent:
            await self.server.enter_room(sid, session, namespace=space)
        await self.server.emit("session_confirm", shown or session, room=sid, namespace=space)

    async def _user_uttered(self, sid: str, data: Any = None) -> None:
        data = data if isinstance(data, dict) else {}
        sender: str | None = sid
        if self._persistent:
            wanted = data.get("session_id")
            sender = self._session(wanted) if isinstance(wanted, str) and wanted else None
        if sender is None:
            _log.warning("a Socket.IO message without a session of its own was dropped")
            return
        metadata = _object(data.get(self.options.get("metadata_key") or "metadata"))
        text = data.get("message")
        message = Message(
            new_id(),
            sender,
            text.strip() if isinstance(text, str) else "",
            NAME,
            metadata,
        )
        try:
            await self.services.access.limit_messages(sender)
            turn = await self.services.turns.answer(message, any_payload=self.rules.any_payload)
        except AgentError as error:
            _log.warning("a Socket.IO message was not answered: %s", error)
            space = self.options.get("namespace") or "/"
            await self.server.emit("error", {"message": str(error)}, room=sid, namespace=space)
            return
        await self.services.outlets.send(NAME, sender, outlet_messages(turn.replies))

    def _session(self, wanted: str) -> str | None:
        """The conversation of a session's id, None if the client may not have it."""
        try:
            return self.services.tokens.conversation(wanted)
        except TokenError:
            trusted = self.rules.trust_sender and not is_issued(wanted)
            return wanted[:1000] if trusted else None

    @property
    def _persistent(self) -> bool:
        return self.options.get("session_persistence") is True


def _object(value: Any) -> dict[str, Any]:
    """A JSON object, also one that a client sends as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def socket_messages(message: Mapping[str, Any]) -> list[Any]:
    """A message of `outlet_messages` as Rasa's Socket.IO channel sends it."""
    if message.get("image"):
        return [{"attachment": {"type": "image", "payload": {"src": message["image"]}}}]
    if message.get("attachment") is not None:
        return [{"attachment": message["attachment"]}]
    custom = message.get("custom")
    if "elements" in message:
        return [
            {
                "attachment": {
                    "type": "template",
                    "payload": {"template_type": "generic", "elements": element},
                }
            }
            for element in message["elements"]
        ]
    if isinstance(custom, Mapping) and "data" in custom and set(custom) <= _EMITTED:
        return [custom["data"]]
    if custom is not None:
        return [custom]
    text, buttons = str(message.get("text") or ""), message.get("buttons")
    if not buttons:
        return [{"text": text}]
    said: list[dict[str, Any]] = [{"text": t, "quick_replies": []} for t in text.split("\n\n")]
    said[-1]["quick_replies"] = [
        {"content_type": "text", "title": b["title"], "payload": b["payload"]} for b in buttons
    ]
    return said


def build_router() -> APIRouter:
    """`/webhooks/socketio/`, which tells that the channel is there."""
    router = APIRouter(prefix=f"/webhooks/{NAME}", tags=["channels"])

    @router.get("/")
    async def health() -> dict[str, str]:
        """Whether the channel is there."""
        return {"status": "ok"}

    return router


def build(services: Services, options: Mapping[str, Any]) -> tuple[str, Any]:
    """The path and the ASGI application of the channel."""
    server = socketio.AsyncServer(
        async_mode="asgi",
        cors_allowed_origins=_allowed(services.settings.cors_origins),
        max_http_buffer_size=MAX_MESSAGE_BYTES,
        json=json,
        # A logger of the library's own would write past ours, unmasked.
        logger=_errors_of("socketio.server"),
        engineio_logger=_errors_of("engineio.server"),
    )
    channel = SocketChannel(
        services, server, read_rules(NAME, options, loopback=services.loopback), options
    )
    channel.listen()
    services.outlets.by_channel[NAME] = channel
    services.closing.append(server.shutdown)
    path = "/" + str(options.get("socketio_path") or "/socket.io").strip("/")
    return path, socketio.ASGIApp(server, socketio_path=path.strip("/"))


def _allowed(origins: Collection[str]) -> Callable[[str | None, Mapping[str, Any]], bool]:
    """Which pages may connect: those of the setting, and the server's own whatever it says.

    The schemes are not compared: the library knows no other than http, also behind TLS.
    """

    def allowed(origin: str | None, environ: Mapping[str, Any]) -> bool:
        if origin is None:
            return False
        hosts = (environ.get("HTTP_HOST"), environ.get("HTTP_X_FORWARDED_HOST"))
        return "*" in origins or origin in origins or origin.partition("://")[2] in hosts

    return allowed


def _errors_of(name: str) -> logging.Logger:
    """A library's logger that tells of nothing below errors: it would quote messages."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    return logger
