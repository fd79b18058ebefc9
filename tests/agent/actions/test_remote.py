import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from agent.actions.remote import RemoteActions
from agent.errors import ActionError
from agent.project.types import Endpoint
from tests.agent.scripted_server import ScriptedServer, scripted_server

STATE = {"sender_id": "alice", "slots": {}, "events": [{"event": "user", "text": "hi"}]}
DOMAIN = {"intents": ["greet"]}
EMPTY: dict[str, list[Any]] = {"events": [], "responses": []}


Make = Callable[..., RemoteActions]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as scripted:
        yield scripted


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[RemoteActions] = []

    def build(endpoint: Endpoint, **options: Any) -> RemoteActions:
        made.append(RemoteActions(endpoint, **options))
        return made[-1]

    yield build
    for custom in made:
        await custom.close()


def call(custom: RemoteActions, name: str = "action_x") -> Awaitable[Any]:
    return custom.call(name, STATE, DOMAIN)


async def test_a_request_has_rasas_keys_and_an_idempotency_key(
    server: ScriptedServer, make: Make
) -> None:
    custom = make(Endpoint(server.url))
    await call(custom)
    await call(custom)
    await custom.call("action_x", {**STATE, "slots": {"a": 1}}, DOMAIN)
    first, second, third = server.requests
    assert first.json() == {
        "next_action": "action_x",
        "sender_id": "alice",
        "tracker": STATE,
        "version": "3.6.21",
        "domain": DOMAIN,
        "domain_digest": first.json()["domain_digest"],
    }
    keys = [request.headers["idempotency-key"] for request in (first, second, third)]
    assert keys[0] == keys[1] != keys[2]


async def test_headers_token_and_basic_auth_are_sent(server: ScriptedServer, make: Make) -> None:
    endpoint = Endpoint(server.url, headers={"X-Team": "bank"}, token="s3cret")
    await call(make(endpoint))
    await call(make(Endpoint(server.url, basic_auth=("user", "pass"))))
    assert server.requests[0].line == "POST /webhook?token=s3cret HTTP/1.1"
    assert server.requests[0].headers["x-team"] == "bank"
    assert server.requests[1].headers["authorization"] == "Basic dXNlcjpwYXNz"


async def test_the_domain_is_sent_again_when_the_server_asks_for_it(
    server: ScriptedServer, make: Make
) -> None:
    server.answers = [(449, {"error": "no domain", "action_name": "action_x"}), (200, EMPTY)]
    custom = make(Endpoint(server.url, enable_selective_domain=True))
    await call(custom)
    await call(custom)
    sent = ["domain" in request.json() for request in server.requests]
    assert sent == [False, True, False]
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


async def test_a_selective_domain_goes_to_the_actions_that_ask_for_it(
    server: ScriptedServer, make: Make
) -> None:
    endpoint = Endpoint(server.url, enable_selective_domain=True)
    custom = make(endpoint, send_domain=("action_wants",))
    await call(custom, "action_wants")
    await call(custom, "action_other")
    assert ["domain" in r.json() for r in server.requests] == [True, False]


async def test_no_server_is_an_error_that_asks_whether_it_runs(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ActionError, match=r"cannot be reached: .*is it running"):
        await call(make(Endpoint(f"http://127.0.0.1:{port}/webhook")))


async def test_a_server_that_starts_late_is_tried_again(make: Make) -> None:
    scripted = ScriptedServer()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        scripted.port = probe.getsockname()[1]
    pending = asyncio.ensure_future(call(make(Endpoint(scripted.url))))
    await asyncio.sleep(0.05)
    async with await asyncio.start_server(scripted.serve, "127.0.0.1", scripted.port):
        await pending
    assert len(scripted.requests) == 1


async def test_an_answer_that_comes_too_late_is_not_asked_for_again(
    server: ScriptedServer, make: Make
) -> None:
    server.delay_s = 0.5
    with pytest.raises(ActionError, match=r"no answer within 0.2 s"):
        await call(make(Endpoint(server.url), timeout_s=0.2))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, {"error": "boom", "request_body": {}}, "answered 500: boom"),
        (400, {"error": "Invalid body request"}, "answered 400: Invalid body request"),
        (404, "not here", "not here"),
        (502, "", "answered 502: nothing"),
        (200, "<html>", "must answer an object .* not <html>"),
        (200, [1], "must answer an object"),
        (200, {"events": {}, "responses": []}, "ok"),
        (200, {"events": ["x"], "responses": []}, "must answer an object"),
        (200, {"events": [], "responses": "hi"}, "must answer an object"),
    ],
)
async def test_answers_that_are_no_reply_are_clear_errors(
    server: ScriptedServer, make: Make, status: int, body: Any, message: str
) -> None:
    server.answers = [(status, body)]
    if message == "ok":
        assert not (await call(make(Endpoint(server.url)))).events
        return
    with pytest.raises(ActionError, match=message):
        await call(make(Endpoint(server.url)))


async def test_an_empty_answer_is_an_empty_reply(server: ScriptedServer, make: Make) -> None:
    server.answers = [(200, "null"), (200, {})]
    custom = make(Endpoint(server.url))
    assert not (await call(custom)).events
    assert not (await call(custom)).responses


async def test_a_url_that_is_none_is_a_clear_error(make: Make) -> None:
    for url in ("not a url", "ftp://x/webhook", "http://[::1/webhook"):
        with pytest.raises(ActionError, match="action_x"):
            await call(make(Endpoint(url)))
