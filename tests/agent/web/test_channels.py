import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import socketio
import uvicorn
from fastapi import FastAPI, Request

from agent.errors import InputError
from agent.web.channels.inbound import read_rules
from agent.web.channels.socketio import socket_messages
from tests.agent.web.serving import Served, serving


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """An application on a real port of loopback."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def test_with_stream_each_reply_is_a_line(served: Served) -> None:
    answer = await served.http.post(
        "/webhooks/rest/webhook?stream=true", json={"sender": "s", "message": "hello"}
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["text"] for line in lines] == ["Hello!\n\nAnd now?"]
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_the_rest_channel_tells_that_it_is_there(served: Served) -> None:
    assert (await served.http.get("/webhooks/rest/")).json() == {"status": "ok"}


async def test_the_callback_gets_the_replies_signed_and_in_order(tmp_path: Path) -> None:
    got: list[tuple[dict[str, Any], bool]] = []
    receiver = FastAPI()

    @receiver.post("/bot")
    async def take(request: Request) -> None:
        body = await request.body()
        stamp = request.headers["x-agent-timestamp"]
        expected = hmac.new(b"shared", f"{stamp}.".encode() + body, sha256).hexdigest()
        got.append((json.loads(body), request.headers["x-agent-signature"] == f"sha256={expected}"))

    async with listening(receiver) as url:
        options = {"callback": {"url": f"{url}/bot", "secret": "shared"}}
        async with serving(tmp_path, credentials=options) as served:
            for said in ("hello", "bye"):
                answer = await served.http.post(
                    "/webhooks/callback/webhook", json={"sender": "s", "message": said}
                )
                assert answer.text == "success"
    assert [(message["text"], signed) for message, signed in got] == [
        ("Hello!\n\nAnd now?", True),
        ("goodbye!", True),
    ]


async def test_the_callback_is_called_with_the_channels_credentials(tmp_path: Path) -> None:
    got: list[dict[str, str]] = []
    receiver = FastAPI()

    @receiver.post("/bot")
    async def take(request: Request) -> None:
        got.append({**request.query_params, **request.headers})

    async with listening(receiver) as url:
        options = {
            "url": f"{url}/bot",
            "headers": {"X-Tenant": "7"},
            "token": "t0ken",
            "basic_auth": {"username": "bot", "password": "secret"},
        }
        async with serving(tmp_path, credentials={"callback": options}) as served:
            body = {"sender": "s", "message": "bye", "input_channel": "other"}
            await served.http.post("/webhooks/callback/webhook", json=body)
            tracker = (await served.http.get("/conversations/s/tracker")).json()
    assert (got[0]["token"], got[0]["x-tenant"]) == ("t0ken", "7")
    assert got[0]["authorization"].startswith("Basic ")
    assert tracker["latest_input_channel"] == "callback"


async def test_a_callback_option_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    options = {"callback": {"url": "http://127.0.0.1:9/bot", "headers": "X: 1"}}
    with pytest.raises(InputError, match=r"callback\.headers"):
        async with serving(tmp_path, credentials=options):
            pass


async def test_socketios_metadata_may_come_as_text_and_the_channel_tells_that_it_is_there(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, credentials={"socketio": None}) as served:
        assert (await served.http.get("/webhooks/socketio/")).json() == {"status": "ok"}
        async with listening(served.app) as url:
            client = Client()
            await client.connect(url)
            data = {"message": "bye", "metadata": '{"page": 3}'}
            await client.sio.emit("user_uttered", data)
            assert await client.next("bot_uttered") == {"text": "goodbye!"}
            sender = client.sio.get_sid()
            await client.sio.disconnect()
        tracker = (await served.http.get(f"/conversations/{sender}/tracker")).json()
    assert tracker["latest_message"]["metadata"] == {"page": 3}


async def test_a_stock_socketio_client_talks_as_with_rasa(tmp_path: Path) -> None:
    options: dict[str, Any] = {"socketio": {"session_persistence": True}}
    async with serving(tmp_path, credentials=options) as served, listening(served.app) as url:
        client = Client()
        await client.connect(url)
        await client.sio.emit("session_request", {"session_id": "mine"})
        assert await client.next("session_confirm") == "mine"
        await client.sio.emit("user_uttered", {"message": "hello", "session_id": "mine"})
        assert await client.next("bot_uttered") == {
            "text": "Hello!",
            "quick_replies": [],
        }
        assert await client.next("bot_uttered") == {
            "text": "And now?",
            "quick_replies": [
                {
                    "content_type": "text",
                    "title": "My balance",
                    "payload": '/balance{"account": "savings"}',
                }
            ],
        }
        await client.sio.disconnect()


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 200),
        ("https://localhost", 200),
        ("https://shop.example", 200),
        ("https://localhost.example", 400),
        ("null", 400),
    ],
)
async def test_socketio_takes_the_servers_own_pages_and_those_of_the_setting(
    tmp_path: Path, origin: str, status: int
) -> None:
    server = {"cors_origins": ["https://shop.example"]}
    async with serving(tmp_path, credentials={"socketio": None}, server=server) as served:
        path = "/socket.io/?EIO=4&transport=polling"
        answer = await served.http.get(path, headers={"Origin": origin})
        assert answer.status_code == status


async def test_a_socketio_client_without_a_session_is_given_one(tmp_path: Path) -> None:
    options: dict[str, Any] = {"socketio": {}}
    async with serving(tmp_path, credentials=options) as served, listening(served.app) as url:
        client = Client()
        await client.connect(url)
        await client.sio.emit("session_request", {})
        assert len(await client.next("session_confirm")) == 32
        await client.sio.emit("user_uttered", {"message": "bye"})
        assert await client.next("bot_uttered") == {"text": "goodbye!"}
        await client.sio.disconnect()


async def test_beyond_loopback_a_socketio_client_cannot_take_anothers_session(
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {"socketio": {"session_persistence": True, "trust_sender": False}}
    async with serving(tmp_path, credentials=options) as served, listening(served.app) as url:
        client = Client()
        await client.connect(url)
        await client.sio.emit("session_request", {"session_id": "victim"})
        session = await client.next("session_confirm")
        assert session != "victim"
        assert served.services.tokens.conversation(session)
        await client.sio.emit("user_uttered", {"message": "bye", "session_id": "victim"})
        await client.sio.emit("user_uttered", {"message": "bye", "session_id": session})
        assert await client.next("bot_uttered") == {"text": "goodbye!"}
        await client.sio.emit("session_request", {"session_id": session})
        assert await client.next("session_confirm") == session
        await client.sio.disconnect()
        assert await served.services.assistant.store.turn_count() == 1


@pytest.mark.parametrize("channel", ["rest", "callback"])
async def test_a_channel_does_not_speak_in_a_conversation_of_the_api_without_its_token(
    tmp_path: Path, channel: str
) -> None:
    options = {"callback": {"url": "http://127.0.0.1:9/bot"}}
    async with serving(tmp_path, credentials=options) as served:
        conversation, headers = await served.begin()
        _, others = await served.begin()
        url, body = f"/webhooks/{channel}/webhook", {"sender": conversation, "message": "bye"}
        assert (await served.http.post(url, json=body)).status_code == 403
        assert (await served.http.post(url, json=body, headers=others)).status_code == 403
        assert await served.services.assistant.store.turn_count() == 0
        if channel == "rest":
            assert (await served.http.post(url, json=body, headers=headers)).status_code == 200


async def test_a_socketio_session_is_no_conversation_of_the_api(tmp_path: Path) -> None:
    options: dict[str, Any] = {"socketio": {"session_persistence": True}}
    async with serving(tmp_path, credentials=options) as served, listening(served.app) as url:
        conversation, _ = await served.begin()
        client = Client()
        await client.connect(url)
        await client.sio.emit("session_request", {"session_id": conversation})
        assert await client.next("session_confirm") != conversation
        await client.sio.emit("user_uttered", {"message": "bye", "session_id": conversation})
        await client.sio.emit("user_uttered", {"message": "bye", "session_id": "mine"})
        await client.sio.emit("session_request", {"session_id": "mine"})
        assert await client.next("session_confirm") == "mine"
        await client.sio.disconnect()
        turns = served.services.assistant.store.turns_of
        assert await turns(conversation, limit=1) == []


@pytest.mark.parametrize("data", [None, 5, "x", [], {"message": 7}, {"session_id": {}}])
async def test_a_malformed_socketio_message_ends_nothing(tmp_path: Path, data: object) -> None:
    options: dict[str, Any] = {"socketio": {"session_persistence": True}}
    async with serving(tmp_path, credentials=options) as served, listening(served.app) as url:
        client = Client()
        await client.connect(url)
        await client.sio.emit("session_request", data)
        await client.sio.emit("user_uttered", data)
        await client.sio.emit("session_request", {"session_id": "mine"})
        assert await client.next("session_confirm", wanted="mine") == "mine"
        await client.sio.disconnect()


async def test_beyond_loopback_a_sender_may_send_so_many_messages_a_minute(tmp_path: Path) -> None:
    options = {"rest": {"trust_sender": True}}
    server = {"messages_per_minute": 2, "auth_token": "t0ken"}
    async with serving(tmp_path, loopback=False, credentials=options, server=server) as served:
        url = "/webhooks/rest/webhook"
        sent = [await served.http.post(url, json={"sender": "s", "message": "bye"}) for _ in "abc"]
        other = await served.http.post(url, json={"sender": "t", "message": "bye"})
    assert [answer.status_code for answer in (*sent, other)] == [200, 200, 429, 200]
    assert int(sent[2].headers["retry-after"]) > 0


def test_images_attachments_and_elements_have_rasas_shapes() -> None:
    assert socket_messages({"image": "http://i"}) == [
        {"attachment": {"type": "image", "payload": {"src": "http://i"}}}
    ]
    assert socket_messages({"attachment": {"type": "video"}}) == [{"attachment": {"type": "video"}}]
    template = {"template_type": "generic", "elements": {"title": "A"}}
    assert socket_messages({"elements": [{"title": "A"}]}) == [
        {"attachment": {"type": "template", "payload": template}}
    ]
    assert socket_messages({"custom": {"a": 1}}) == [{"a": 1}]
    buttons = [{"title": "Yes", "payload": "/affirm"}]
    quick = [{"content_type": "text", "title": "Yes", "payload": "/affirm"}]
    assert socket_messages({"text": "A\n\nB", "buttons": buttons}) == [
        {"text": "A", "quick_replies": []},
        {"text": "B", "quick_replies": quick},
    ]
    assert socket_messages({"custom": {"data": {"a": 1}}}) == [{"a": 1}]


def test_a_channels_rules_are_generous_on_loopback_and_strict_elsewhere() -> None:
    here, there = read_rules("rest", {}, loopback=True), read_rules("rest", {}, loopback=False)
    assert (here.any_payload, here.trust_sender) == (True, True)
    assert (there.any_payload, there.trust_sender) == (False, False)
    said = {"payloads": "offered", "trust_sender": False}
    chosen = read_rules("rest", said, loopback=True)
    assert (chosen.any_payload, chosen.trust_sender) == (False, False)


@pytest.mark.parametrize("options", [{"payloads": "some"}, {"trust_sender": "maybe"}])
def test_a_rule_that_is_none_is_refused_with_its_key(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"rest.{next(iter(options))}"):
        read_rules("rest", options, loopback=True)


class Client:
    """A stock Socket.IO client that keeps what it hears."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncClient()
        self._heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        for event in ("session_confirm", "bot_uttered"):
            self.sio.on(event, lambda data, event=event: self._heard.put_nowait((event, data)))

    async def connect(self, url: str) -> None:
        """Connect as a browser's widget does."""
        await self.sio.connect(url, socketio_path="/socket.io")

    async def next(self, event: str, wanted: object = None) -> Any:
        """The data of the next event of that name."""
        while True:
            name, data = await asyncio.wait_for(self._heard.get(), 10)
            if name == event and wanted in (None, data):
                return data
