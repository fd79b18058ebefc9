from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from agent.feedback.drift import Alarm, DayCounts, alarms, find_drift, tell, watch_drift
from agent.settings import load_settings
from agent.storage.monitor_log import MonitorLog
from agent.storage.store import Store
from agent.turn import now

START = date(2026, 1, 1)


def traffic(
    rng: np.random.Generator, days: int, *, doubled_from: int | None = None, weekly: bool = True
) -> list[DayCounts]:
    """Thirty intents of very different shares, quieter weekends, days that scatter a little."""
    shares = np.sort(rng.dirichlet(np.full(30, 0.7)))[::-1]
    found = []
    for number in range(days):
        turns = int(rng.poisson(400 if weekly and number % 7 > 4 else 1000))
        counts = rng.multinomial(turns, rng.dirichlet(shares * 2000 + 1e-9))
        fallback = 0.05 * (2 if doubled_from is not None and number >= doubled_from else 1)
        day = {f"intent:i{i}": int(n) for i, n in enumerate(counts)}
        day |= {"turns": turns, "fallback": int(rng.binomial(turns, fallback))}
        found.append(DayCounts(START + timedelta(days=number), day))
    return found


def test_stationary_traffic_raises_at_most_one_alarm_a_month() -> None:
    raised, months = 0, 0
    for seed in range(12):
        days = traffic(np.random.default_rng(seed), 56 + 30)
        raised += sum(len(find_drift(days[:end])) for end in range(57, 87))
        months += 1
    assert raised <= months


@pytest.mark.parametrize("seed", range(10))
def test_a_doubled_share_is_seen_within_two_days(seed: int) -> None:
    days = traffic(np.random.default_rng(seed), 44, doubled_from=42)
    seen = [alarm.name for end in (43, 44) for alarm in find_drift(days[:end])]
    assert "fallback" in seen


def test_a_share_that_vanishes_is_seen_too() -> None:
    days = traffic(np.random.default_rng(1), 43)
    last = DayCounts(days[-1].day, {**days[-1].counts, "fallback": 0})
    (alarm,) = [a for a in find_drift([*days[:-1], last]) if a.name == "fallback"]
    assert (alarm.kind, alarm.value) == ("less", 0.0)


def test_without_two_weeks_of_history_nothing_is_judged() -> None:
    assert find_drift(traffic(np.random.default_rng(1), 14, doubled_from=13)) == []


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open("embedded:", tmp_path) as store:
        yield store


async def test_an_alarm_is_kept_once_and_not_repeated_for_a_week(store: Store) -> None:
    today = now().date()
    for back in range(1, 31):
        key = store.keys.counters((today - timedelta(days=back)).isoformat())
        fallback = 300 if back == 1 else 50
        await store.connection.client.hset(key, mapping={"turns": 1000, "fallback": fallback})
    (alarm,) = await watch_drift(store)
    assert (alarm.name, alarm.kind, alarm.value) == ("fallback", "more", 0.3)
    assert await watch_drift(store) == []
    found: list[Alarm] = await alarms(store)
    assert found == [alarm]


async def test_an_alarm_waits_for_a_receiver_that_is_away(store: Store) -> None:
    nowhere = {"INTENT_AGENT_MONITOR__WEBHOOK": "http://127.0.0.1:9/"}
    settings = load_settings(environ=nowhere).monitor
    assert await tell(store, settings)
    await MonitorLog(store.connection, store.keys, "drift").add_alarm("a", {"id": "a", "at": ""})
    assert not await tell(store, settings)
    assert await tell(store, load_settings(environ={}).monitor)
