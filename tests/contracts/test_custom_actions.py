import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.actions.grpc_client import GrpcActions
from agent.actions.local import LocalActions
from agent.actions.remote import RemoteActions
from agent.actions.types import ActionRejected, CustomActions
from agent.errors import ActionError
from agent.project.types import Endpoint
from tests.contracts.action_project import action_server, write_project

DOMAIN: dict[str, Any] = {
    "intents": ["buy", "greet"],
    "slots": {"size": {"type": "text", "mappings": [{"type": "from_text"}]}},
    "forms": {"order_form": {"required_slots": ["size"]}},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("assistant"))


@pytest.fixture(scope="module")
def server_url(project: Path) -> Iterator[str]:
    with action_server(project, dict(os.environ)) as url:
        yield url


@pytest.fixture(scope="module")
def grpc_url(project: Path) -> Iterator[str]:
    with action_server(project, dict(os.environ), "--grpc") as url:
        yield url


@pytest.fixture(
    params=["local", "remote", "remote-deflate", "remote-selective", "grpc", "grpc-selective"]
)
async def custom(request: pytest.FixtureRequest, project: Path) -> AsyncIterator[CustomActions]:
    actions: CustomActions
    if request.param == "local":
        actions = LocalActions(project)
    elif request.param.startswith("grpc"):
        selective = request.param == "grpc-selective"
        url = request.getfixturevalue("grpc_url")
        actions = GrpcActions(Endpoint(url, enable_selective_domain=selective))
    else:
        url = request.getfixturevalue("server_url")
        selective = request.param == "remote-selective"
        actions = RemoteActions(
            Endpoint(url, enable_selective_domain=selective),
            compress=request.param == "remote-deflate",
        )
    yield actions
    await actions.close()


def state(sender: str = "alice", **more: Any) -> dict[str, Any]:
    return {"sender_id": sender, "slots": {}, "latest_message": {}, "events": [], **more}


def said(text: str, timestamp: float) -> dict[str, Any]:
    return {"event": "user", "text": text, "timestamp": timestamp}


def slots(events: Any) -> dict[str, Any]:
    return {e["name"]: e["value"] for e in events if e["event"] == "slot"}


async def test_an_action_gives_events_and_responses(custom: CustomActions) -> None:
    reply = await custom.call("action_greet", state(slots={"name": "Ada"}), DOMAIN)
    assert [e["event"] for e in reply.events] == ["slot", "reset_slots"]
    first, second = reply.responses
    assert first["text"] == "Hello Ada!"
    assert first["buttons"] == [{"title": "Hi", "payload": "/hi"}]
    assert (second["response"], second["count"]) == ("utter_more", 0)


async def test_an_async_action_sees_all_events_and_the_domain(custom: CustomActions) -> None:
    events = [said("one", 1.0)]
    reply = await custom.call("action_count", state(events=events), DOMAIN)
    assert slots(reply.events) == {"texts": ["one"], "intents": ["buy", "greet"]}
    events = [*events, said("two", 2.0), said("三", 3.0)]
    reply = await custom.call("action_count", state(events=events), DOMAIN)
    assert slots(reply.events)["texts"] == ["one", "two", "三"]
    forked = [*events[:2], said("four", 4.0)]
    reply = await custom.call("action_count", state(events=forked), DOMAIN)
    assert slots(reply.events)["texts"] == ["one", "two", "four"]


async def test_a_new_domain_reaches_the_action(custom: CustomActions) -> None:
    await custom.call("action_count", state(), DOMAIN)
    reply = await custom.call("action_count", state(), {**DOMAIN, "intents": ["other"]})
    if not _is_selective(custom):
        assert slots(reply.events)["intents"] == ["other"]
    again = await custom.call("action_count", state(), DOMAIN)
    assert slots(again.events)["intents"] == ["buy", "greet"]


def _is_selective(custom: CustomActions) -> bool:
    if isinstance(custom, GrpcActions):
        return custom._endpoint.enable_selective_domain
    return isinstance(custom, RemoteActions) and custom._selective


async def test_form_validation_runs(custom: CustomActions) -> None:
    tracker = state(
        slots={"size": "huge", "requested_slot": "size"},
        active_loop={"name": "order_form"},
        events=[{"event": "slot", "name": "size", "value": "huge", "timestamp": 1.0}],
    )
    reply = await custom.call("validate_order_form", tracker, DOMAIN)
    assert slots(reply.events)["size"] is None
    assert [r["text"] for r in reply.responses] == ["Small or large?"]


async def test_a_rejection_is_told_apart_from_a_failure(custom: CustomActions) -> None:
    with pytest.raises(ActionRejected, match="not now") as caught:
        await custom.call("action_reject", state(), DOMAIN)
    assert caught.value.action == "action_reject"


async def test_a_failing_action_is_an_error_with_its_reason(custom: CustomActions) -> None:
    deflated = isinstance(custom, RemoteActions) and custom._client.compress
    # rasa-sdk answers 400 without the reason when the request was deflated.
    reason = "its log has the reason" if deflated else "the ledger is shut"
    with pytest.raises(ActionError, match=reason) as caught:
        await custom.call("action_fail", state(), DOMAIN)
    assert caught.value.action == "action_fail"
    assert "\n" not in str(caught.value)


async def test_an_unknown_action_is_an_error_that_names_it(custom: CustomActions) -> None:
    with pytest.raises(ActionError, match=r"'action_missing'.*(know|among)"):
        await custom.call("action_missing", state(), DOMAIN)


async def test_an_action_that_returns_nothing_gives_nothing(custom: CustomActions) -> None:
    reply = await custom.call("action_nothing", state(), DOMAIN)
    assert (list(reply.events), list(reply.responses)) == ([], [])


async def test_the_projects_own_modules_win_over_ours(custom: CustomActions, project: Path) -> None:
    reply = await custom.call("action_shadow", state(), DOMAIN)
    assert slots(reply.events) == {"shadow": ["the project", "the project", project.name]}


async def test_calls_may_overlap(custom: CustomActions) -> None:
    calls = [
        custom.call("action_count", state(f"user{n}", events=[said(str(n), 1.0)]), DOMAIN)
        for n in range(20)
    ]
    replies = await asyncio.gather(*calls)
    assert [slots(r.events)["texts"] for r in replies] == [[str(n)] for n in range(20)]


async def test_the_names_are_listed(custom: CustomActions) -> None:
    names = await custom.names()
    assert {"action_greet", "action_hang", "validate_order_form"} <= set(names)


async def test_a_call_after_close_of_another_runner_still_works(custom: CustomActions) -> None:
    if isinstance(custom, LocalActions):
        await custom.close()
    reply = await custom.call("action_nothing", state(), DOMAIN)
    assert not reply.events


async def test_streamed_text_is_one_message(custom: CustomActions) -> None:
    reply = await custom.call("action_stream", state(), DOMAIN)
    texts = [message.get("text") for message in reply.responses if message.get("text")]
    assert "".join(str(text) for text in texts if text != "first") == "one two 三"
    assert "cat.png" in [message.get("image") for message in reply.responses]
    assert slots(reply.events) == {"count": 3, "share": 0.5}
