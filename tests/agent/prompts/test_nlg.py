from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent.dialogue.events import SlotSet
from agent.dialogue.tracker import Tracker
from agent.errors import ActionError
from agent.project.types import Domain, Endpoint, Slot
from agent.prompts.nlg import NlgServer
from agent.prompts.responses import Draft
from tests.agent.scripted_server import ScriptedServer, scripted_server


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as scripted:
        yield scripted


async def draft(server: ScriptedServer) -> Draft | None:
    domain = Domain(slots={"name": Slot("name", "text")})
    tracker = Tracker("alice", domain, [SlotSet(name="name", value="Ada")])
    nlg = NlgServer(Endpoint(server.url, token="t"), timeout_s=2)
    try:
        return await nlg.draft("utter_x", tracker, channel="rest", arguments={"n": 1})
    finally:
        await nlg.close()


async def test_the_server_is_asked_in_rasas_words(server: ScriptedServer) -> None:
    server.answers = [(200, {"text": "Hi", "buttons": [], "custom": {}})]
    assert await draft(server) == {"text": "Hi", "buttons": [], "custom": {}}
    body = server.requests[0].json()
    assert (body["response"], body["arguments"]) == ("utter_x", {"n": 1})
    assert body["channel"] == {"name": "rest"}
    assert body["tracker"]["slots"]["name"] == "Ada"
    assert [e["event"] for e in body["tracker"]["events"]] == ["slot"]


@pytest.mark.parametrize("nothing", ["", "null", '""'])
async def test_an_empty_answer_says_nothing(server: ScriptedServer, nothing: str) -> None:
    server.answers = [(200, nothing)]
    assert await draft(server) is None


@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, "oops"), (200, [1]), (200, "<p>"), (200, {"text": 5}), (200, {"buttons": "b"})],
)
async def test_another_answer_is_a_clear_error(
    server: ScriptedServer, status: int, answer: Any
) -> None:
    server.answers = [(status, answer)]
    with pytest.raises(ActionError, match="the NLG server at"):
        await draft(server)
