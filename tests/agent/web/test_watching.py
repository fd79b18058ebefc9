import asyncio
import json
from typing import Any

import pytest

from agent.web import watching
from agent.web.turns import BusyError
from agent.web.watching import Watching
from tests.agent.web.serving import Served

BOT = {"event": "bot", "text": "A person here. How can I help?"}


async def test_what_is_said_by_itself_reaches_a_listener_who_can_come_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_S", 0.01)
    await served.say("bye", "c")
    before = len((await served.http.get("/conversations/c/tracker")).json()["events"])
    await served.http.post("/conversations/c/tracker/events", json=BOT)
    listening: Any = Watching(served.services.assistant, asyncio.Event())
    again = listening.follow("c", str(before))
    assert await anext(again) == "retry: 2000\n\n"
    event = await anext(again)
    fields = dict(line.split(": ", 1) for line in event.strip().splitlines())
    assert fields["event"] == "message"
    assert json.loads(fields["data"])["text"] == BOT["text"]
    assert int(fields["id"]) == before + 1
    await again.aclose()
    assert listening.listening == 0


async def test_only_so_many_listen_at_once(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LISTENERS", 1)
    listening: Any = Watching(served.services.assistant, asyncio.Event())
    first = listening.follow("c", None)
    await anext(first)
    with pytest.raises(BusyError):
        await anext(listening.follow("d", None))
    await first.aclose()
    assert listening.listening == 0


async def test_nobody_listens_on_when_the_server_stops(served: Served) -> None:
    stopping = asyncio.Event()
    heard = Watching(served.services.assistant, stopping).follow("c", None)
    await anext(heard)
    stopping.set()
    assert [event async for event in heard] == []
