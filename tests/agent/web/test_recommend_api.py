"""Suggestions and behaviour over HTTP."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agent.recommend.events import Event
from agent.recommend.wishes import Wishes
from agent.web.serve import index_items
from tests.agent.web.serving import Served, serving


class Shelf:
    """Recommendations that keep what they are asked and told."""

    available = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, Wishes]] = []
        self.events: list[Event] = []
        self.synced = 0

    async def recommend(self, user: str, k: int, *, wishes: Wishes) -> list[Any]:
        self.asked.append((user, k, wishes))
        return [SimpleNamespace(as_json=lambda: {"id": "book1", "reason": "most people like it"})]

    async def note(self, events: Iterable[Event]) -> int:
        self.events += events
        return len(self.events)

    async def sync(self) -> None:
        self.synced += 1


def with_shelf(served: Served) -> Shelf:
    shelf = Shelf()
    served.services.assistant.recommendations = shelf  # type: ignore[assignment]
    return shelf


async def test_items_are_suggested_by_the_users_wishes(served: Served) -> None:
    shelf = with_shelf(served)
    asked: dict[str, Any] = {
        "user": "anna",
        "k": 3,
        "text": "shorter",
        "like": "b2",
        "fact": ["kind=a=b"],
    }
    answer = await served.http.get("/api/recommendations", params=asked)
    assert answer.json() == {"suggestions": [{"id": "book1", "reason": "most people like it"}]}
    assert shelf.asked == [("anna", 3, Wishes("shorter", {"kind": "a=b"}, "b2"))]


async def test_behaviour_is_taken_in_and_a_wrong_event_refuses_them_all(served: Served) -> None:
    shelf = with_shelf(served)
    good = {"user": "anna", "item": "b1", "kind": "like"}
    wrong = await served.http.post("/api/events", json={"events": [good, {"user": "anna"}]})
    assert wrong.status_code == 400
    assert shelf.events == []
    done = await served.http.post("/api/events", json={"events": [good]})
    assert (done.status_code, done.json()) == (202, {"added": 1})


async def test_a_fact_without_a_value_is_refused(served: Served) -> None:
    with_shelf(served)
    answer = await served.http.get("/api/recommendations", params={"user": "a", "fact": "kind"})
    assert answer.status_code == 400
    assert "name=value" in answer.json()["message"]


async def test_without_items_there_is_nothing_to_suggest(served: Served) -> None:
    answer = await served.http.get("/api/recommendations", params={"user": "a"})
    assert answer.status_code == 404


async def test_a_chat_user_asks_for_nobody_else(tmp_path: Path) -> None:
    async with serving(tmp_path, loopback=False) as served:
        await served.add_user("ada")
        shelf = with_shelf(served)
        name, token = await served.begin()
        own = await served.http.get("/api/recommendations", params={"user": name}, headers=token)
        other = await served.http.get("/api/recommendations", params={"user": "x"}, headers=token)
        event = {"events": [{"user": "x", "item": "b1", "kind": "like"}]}
        told = await served.http.post("/api/events", json=event, headers=token)
    assert (own.status_code, other.status_code, told.status_code) == (200, 401, 401)
    assert shelf.events == []


async def test_the_items_are_indexed_when_the_server_starts(served: Served) -> None:
    shelf = with_shelf(served)
    await index_items(served.services)
    assert shelf.synced == 1
