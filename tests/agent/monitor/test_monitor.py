"""A monitor over a real store: each item once, alarms with headlines, also after a kill."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.monitor.export import ItemFile
from agent.monitor.monitor import Monitor, Step
from agent.monitor.report import report
from agent.monitor.sources import FileSource, Source, StreamSource, TurnSource
from agent.monitor.watch import Watch, WatchRules
from agent.monitor.windows import DAY_S, History
from agent.storage.connection import StoreAwayError
from agent.storage.monitor_log import MonitorLog
from agent.storage.store import Store
from agent.storage.stream_group import StreamGroup
from tests.agent.monitor.scripted_labels import ScriptedLabeller

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open("embedded:", tmp_path / "project") as opened:
        yield opened


def monitor(store: Store) -> Monitor:
    log = MonitorLog(store.connection, store.keys, "news", kept_s=400 * DAY_S, items_kept=10_000)
    rules = WatchRules(width_s=DAY_S, sentiment="negative", learn_s=14 * DAY_S)
    labeller: Any = ScriptedLabeller()
    return Monitor(log, labeller, Watch(rules, History(DAY_S)))


def write(path: Path, rows: Sequence[tuple[int, str]]) -> Path:
    """A file of items: (day, text)."""
    lines = [
        json.dumps({"text": text, "date": (START + timedelta(days=day)).isoformat()})
        for day, text in rows
    ]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path


async def work(watching: Monitor, source: Source) -> list[Step]:
    await watching.resume()
    return [step async for step in watching.run(source)]


async def totals(store: Store) -> int:
    watching = monitor(store)
    await watching.resume()
    counts = watching.watch.history.counts
    return sum(sum(c.values()) for s, w in counts.items() if s.kind == "all" for c in w.values())


QUIET = [(day, f"macro negative item {day} {n}") for day in range(30) for n in range(3)]
SURGE = [(30, f"macro negative crash number {n}") for n in range(30)]


async def test_a_surge_raises_an_alarm_with_the_headlines_that_caused_it(
    store: Store, tmp_path: Path
) -> None:
    steps = await work(monitor(store), FileSource(write(tmp_path / "a.jsonl", QUIET + SURGE)))
    alarms = [alarm for step in steps for alarm in step.alarms]
    assert {str(alarm.series) for alarm in alarms} == {"all", "topic macro"}
    assert all("crash" in text for text in alarms[0].headlines)


async def test_a_file_is_gone_on_with_where_it_was_left(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", QUIET)
    await work(monitor(store), FileSource(path))
    with path.open("a") as file:
        file.write('{"text": "macro negative more"}\n')
    steps = await work(monitor(store), FileSource(path))
    assert [item.item.text for step in steps for item in step.items] == ["macro negative more"]


async def test_broken_lines_are_named_and_skipped(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", QUIET[:2])
    path.write_bytes(path.read_bytes() + b'{"text": 1}\n\xff\xfe\n{"text": "macro neutral x"}\n')
    steps = await work(monitor(store), FileSource(path))
    places = [problem.place for step in steps for problem in step.problems]
    assert places == [f"{path}:3", f"{path}:4"]
    assert await totals(store) == 3


async def test_items_out_of_order_count_in_their_own_window(store: Store, tmp_path: Path) -> None:
    rows = [(5, "macro negative a"), (1, "macro negative b"), (3, "macro neutral c")]
    watching = monitor(store)
    await work(watching, FileSource(write(tmp_path / "a.jsonl", rows)))
    assert len(await watching.log.windows()) == 3


async def run(store: Store, tmp_path: Path, *parts: Sequence[tuple[int, str]]) -> list[Step]:
    """The steps of one monitor that is given these parts one after the other."""
    watching, steps = monitor(store), []
    for number, rows in enumerate(parts):
        source = FileSource(write(tmp_path / f"{number}.jsonl", rows))
        steps += await work(watching, source)
    return steps


async def test_an_item_dated_ahead_hides_no_surge_of_the_present(
    store: Store, tmp_path: Path
) -> None:
    ahead = [(31, "macro neutral tomorrow")]
    steps = await run(store, tmp_path, QUIET, ahead, SURGE[:10], SURGE[10:])
    alarms = [alarm for step in steps for alarm in step.alarms]
    assert {str(alarm.series) for alarm in alarms} == {"all", "topic macro"}
    assert {alarm.window for alarm in alarms} == {int(START.timestamp()) + 30 * DAY_S}


async def test_a_surge_that_comes_far_too_late_is_counted_and_raises_no_alarm(
    store: Store, tmp_path: Path
) -> None:
    later = [(day, f"macro negative item {day} {n}") for day in range(31, 45) for n in range(3)]
    steps = await run(store, tmp_path, QUIET, later, SURGE)
    assert [alarm for step in steps for alarm in step.alarms] == []
    assert (steps[-1].late, await totals(store)) == (30, 162)


async def test_late_items_are_told_once_however_often_they_come(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "late.jsonl"
    path.write_text(
        json.dumps({"text": "macro neutral x", "date": START.isoformat(), "id": "same"}) + "\n"
    )
    again = tmp_path / "again.jsonl"
    again.write_text(path.read_text())
    steps = await run(store, tmp_path, [(3, "macro neutral a")])
    for one in (path, again):
        steps += await work(monitor(store), FileSource(one))
    assert sum(step.late for step in steps) == 1
    assert (await monitor(store).log.state())["late"] == "1"


async def test_one_item_with_an_old_date_is_no_history_to_judge_by(
    store: Store, tmp_path: Path
) -> None:
    busy = [(day, f"macro negative item {day} {n}") for day in range(200, 205) for n in range(30)]
    steps = await run(store, tmp_path, [(0, "macro neutral long ago")], busy)
    assert [alarm for step in steps for alarm in step.alarms] == []


async def test_an_item_with_an_id_counts_once_whatever_brings_it(
    store: Store, tmp_path: Path
) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"text": "macro neutral x", "id": "same"}\n')
        await work(monitor(store), FileSource(tmp_path / name))
    assert await totals(store) == 1


async def test_a_stream_is_read_by_its_group_and_each_entry_counts_once(store: Store) -> None:
    client = store.connection.client
    for n in range(150):
        await client.xadd("wire", {"data": json.dumps({"text": f"macro neutral {n}"})})
    await client.xadd("wire", {"text": "macro negative fields"})
    await client.xadd("wire", {"nothing": "here"})
    await client.xadd("wire", {"text": b"macro negative \xff", b"\xfe": "no text at all"})
    group = StreamGroup(store.connection, "wire", "g", "reader")
    await group.join()
    # Delivered to a reader that died before it was done.
    await group.read(10, block_ms=10)
    fresh = StreamGroup(store.connection, "wire", "g", "reader")
    steps = await work(monitor(store), StreamSource(fresh, "wire", once=True))
    assert sum(len(step.items) for step in steps) == 152
    assert sum(len(step.problems) for step in steps) == 1
    assert (await client.xpending("wire", "g"))["pending"] == 0


async def test_entries_of_a_stream_that_were_kept_but_not_acknowledged_count_once(
    store: Store,
) -> None:
    client = store.connection.client
    await client.xadd("wire", {"text": "macro neutral x"})

    class Dying(StreamGroup):
        async def done(self, entries: Sequence[str]) -> None:
            raise RuntimeError("killed")

    dying = Dying(store.connection, "wire", "g", "reader")
    with pytest.raises(RuntimeError, match="killed"):
        await work(monitor(store), StreamSource(dying, "wire", once=True))
    again = StreamGroup(store.connection, "wire", "g", "reader")
    steps = await work(monitor(store), StreamSource(again, "wire", once=True))
    assert (await totals(store), sum(step.repeated for step in steps)) == (1, 1)


async def test_a_stream_whose_redis_goes_away_is_read_on_when_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.connection.client.xadd("wire", {"text": "macro neutral x"})
    monkeypatch.setattr("agent.monitor.patience._PAUSE_S", 0.01)

    class Shaky(StreamGroup):
        failing = iter((True, False, True))

        async def done(self, entries: Sequence[str]) -> None:
            self._fail()
            await super().done(entries)

        async def read(self, count: int, *, block_ms: int) -> list[Any]:
            self._fail()
            return list(await super().read(count, block_ms=block_ms))

        def _fail(self) -> None:
            if next(self.failing, False):
                raise StoreAwayError("away")

    source = StreamSource(Shaky(store.connection, "wire", "g", "reader"), "wire")
    watching = monitor(store)
    await watching.resume()
    steps = []
    async for step in watching.run(source):
        steps.append(step)
        if sum(len(one.items) + one.repeated for one in steps) == 2:
            break
    assert await totals(store) == 1
    assert (await store.connection.client.xpending("wire", "g"))["pending"] == 0


async def test_the_turn_log_is_watched_by_the_intents_of_its_turns(store: Store) -> None:
    record = {
        "id": "t1",
        "message": {"text": "x negative", "received_at": START.isoformat(), "channel": "rest"},
        "understanding": {"intent": {"name": "complaint"}},
    }
    await store.commit_turn(record, "c", [])
    watching = monitor(store)
    await work(watching, TurnSource(store, once=True))
    assert [row["topic"] for row in await watching.log.items()] == ["complaint"]


async def test_what_a_forgotten_user_said_is_kept_no_longer(store: Store) -> None:
    for user, turn in (("anna", "t1"), ("ben", "t2")):
        said = {"text": f"{user} negative", "received_at": START.isoformat()}
        record = {"id": turn, "message": {**said, "conversation_id": user}}
        await store.commit_turn(record, user, [])
    watching = monitor(store)
    await watching.log.begin()
    await work(watching, TurnSource(store, once=True))
    alarm = {"id": "a", "at": START.isoformat(), "kind": "all", "name": "", "windows": 1}
    await watching.log.add_alarm("a", {**alarm, "headlines": ["anna negative", "x"]})
    await store.forget("anna")
    assert [row["text"] for row in await watching.log.items()] == ["ben negative"]
    assert (await watching.log.alarms())[0]["headlines"] == ["x"]
    assert await totals(store) == 2


async def test_personal_data_is_not_kept(store: Store, tmp_path: Path) -> None:
    rows = [(0, "macro neutral write to anna@example.com")]
    watching = monitor(store)
    await work(watching, FileSource(write(tmp_path / "a.jsonl", rows)))
    assert "anna@" not in (await watching.log.items())[0]["text"]


async def test_the_report_counts_topics_entities_and_alarms(store: Store, tmp_path: Path) -> None:
    rows = [*QUIET, *SURGE, (30, "people positive @Acme hires")]
    watching = monitor(store)
    await work(watching, FileSource(write(tmp_path / "a.jsonl", rows)))
    found = await report(watching)
    assert found["topics"]["macro"] == {"items": 120, "negative": 120}
    assert found["entities"]["acme"]["items"] == 1
    assert len(found["alarms"]) == 2


async def test_a_file_of_items_has_each_once_after_a_torn_line(
    store: Store, tmp_path: Path
) -> None:
    watching, out = monitor(store), tmp_path / "out.jsonl"
    await work(watching, FileSource(write(tmp_path / "a.jsonl", QUIET)))
    await ItemFile(out, watching.log).catch_up()
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:40]) + lines[40][:17])
    await ItemFile(out, watching.log).catch_up()
    assert out.read_bytes().splitlines(keepends=True) == lines


CHILD = """
import asyncio, sys
from pathlib import Path
from agent.storage.store import Store
from agent.monitor.sources import FileSource
from tests.agent.monitor.test_monitor import monitor

async def main():
    async with await Store.open("embedded:", Path(sys.argv[1])) as store:
        watching = monitor(store)
        await watching.resume()
        async for step in watching.run(FileSource(Path(sys.argv[2]))):
            print(len(step.items), flush=True)

asyncio.run(main())
"""


async def test_what_was_counted_but_not_judged_before_a_kill_raises_its_alarm(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.jsonl", QUIET)
    await work(monitor(store), FileSource(path))
    write(path, QUIET + SURGE)

    async def killed(*_: object) -> list[Any]:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(Monitor, "_raise", killed)
        with pytest.raises(RuntimeError, match="killed"):
            await work(monitor(store), FileSource(path))
    steps = await work(monitor(store), FileSource(path))
    assert len([alarm for step in steps for alarm in step.alarms]) == 2
    assert await totals(store) == len(QUIET + SURGE)


async def test_an_alarm_is_kept_although_redis_goes_away_meanwhile(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.monitor.patience._PAUSE_S", 0.01)
    failing, kept = iter((True, False, True)), MonitorLog.add_alarm

    async def shaky(log: MonitorLog, name: str, data: Any) -> bool:
        if next(failing, False):
            raise StoreAwayError("away")
        return await kept(log, name, data)

    monkeypatch.setattr(MonitorLog, "add_alarm", shaky)
    steps = await work(monitor(store), FileSource(write(tmp_path / "a.jsonl", QUIET + SURGE)))
    assert len([alarm for step in steps for alarm in step.alarms]) == 2


async def test_a_killed_monitor_goes_on_and_counts_nothing_twice(tmp_path: Path) -> None:
    rows = [(n % 40, f"macro neutral item {n}") for n in range(6000)]
    path, root = write(tmp_path / "a.jsonl", rows), tmp_path / "project"
    for after in (2, 7, 1):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(root), str(path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(after):
                await asyncio.to_thread(child.stdout.readline)
            os.kill(child.pid, signal.SIGKILL)
    async with await Store.open("embedded:", root) as store:
        await work(monitor(store), FileSource(path))
        assert await totals(store) == 6000
        assert len(await monitor(store).log.items(limit=9000)) == 6000
