"""Profiles in Redis: each event once, bounded, forgotten whole."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.recommend.events import Event
from agent.storage import behaviour
from agent.storage.behaviour import Behaviour
from agent.storage.store import Store

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def profiles(tmp_path: Path) -> AsyncIterator[Behaviour]:
    async with await Store.open("embedded:", tmp_path / "project") as store:
        yield Behaviour(store.connection, store.keys)


def event(item: str, minutes: int = 0, user: str = "anna") -> Event:
    return Event(user, item, "rate", AT + timedelta(minutes=minutes), 4.5)


async def test_what_is_kept_is_what_is_read_the_latest_first(profiles: Behaviour) -> None:
    await profiles.add([event("a"), event("b", 1)])
    assert await profiles.of("anna") == [event("b", 1), event("a")]


async def test_the_same_event_again_is_one(profiles: Behaviour) -> None:
    assert [await profiles.add([event("a")]), await profiles.add([event("a")])] == [1, 0]
    assert len(await profiles.of("anna")) == 1


async def test_a_profile_keeps_the_latest(
    profiles: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behaviour, "KEPT", 3)
    await profiles.add([event(f"i{n}", n) for n in range(10)])
    assert [one.item for one in await profiles.of("anna")] == ["i9", "i8", "i7"]


async def test_everybodys_profile_is_read(profiles: Behaviour) -> None:
    await profiles.add([event("a"), event("a", user="天气"), event("b", user="\ud800")])
    found = [one async for one in profiles.everyone()]
    assert sorted(len(events) for events in found) == [1, 1, 1]


async def test_a_forgotten_person_is_unknown(profiles: Behaviour) -> None:
    await profiles.add([event("a"), event("b"), event("a", user="ben")])
    assert await profiles.forget("anna") == 2
    assert await profiles.of("anna") == []
    assert [found[0].user async for found in profiles.everyone()] == ["ben"]


async def test_agent_forget_covers_the_profile(tmp_path: Path) -> None:
    async with await Store.open("embedded:", tmp_path / "project") as store:
        kept = Behaviour(store.connection, store.keys)
        await kept.add([event("a"), event("b", user="ben")])
        await store.forget("anna")
        assert [found[0].user async for found in kept.everyone()] == ["ben"]
