import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import StoreError
from agent.storage.connection import StoreAwayError
from agent.storage.spool import Spool, SpoolEntry


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


class Target:
    """Takes entries, or is away after some, or refuses some."""

    def __init__(self, *, away_after: int | None = None, refuses: object = None) -> None:
        self.taken: list[object] = []
        self.away_after, self.refuses = away_after, refuses

    async def write(self, entry: SpoolEntry) -> None:
        if self.away_after is not None and len(self.taken) >= self.away_after:
            raise StoreAwayError("away")
        if entry.record["n"] == self.refuses:
            raise StoreError("refused for good")
        self.taken.append(entry.record["n"])


def fill(spool: Spool, *numbers: int) -> None:
    for number in numbers:
        spool.append("turn", {"n": number}, conversation_id=f"c{number % 2}")


async def test_entries_come_out_once_and_in_order(spool: Spool) -> None:
    fill(spool, 1, 2, 3)
    target = Target()
    assert await spool.drain(target.write) == 3
    assert await spool.drain(target.write) == 0
    assert target.taken == [1, 2, 3]
    assert spool.size() == 0


async def test_what_another_process_spools_into_an_empty_folder_is_seen(spool: Spool) -> None:
    fill(spool, 1)
    await spool.drain(Target().write)
    long_ago = time.time() - 60
    os.utime(spool.folder, (long_ago, long_ago))
    assert spool.size() == 0
    fill(Spool(spool.folder), 2)
    assert spool.size() > 0


async def test_what_was_not_written_stays_in_front_of_what_comes_later(spool: Spool) -> None:
    fill(spool, 1, 2, 3)
    with pytest.raises(StoreAwayError):
        await spool.drain(Target(away_after=2).write)
    fill(spool, 4)
    target = Target()
    await spool.drain(target.write)
    # 1 and 2 come again: the store takes each id once.
    assert target.taken == [1, 2, 3, 4]


async def test_what_is_refused_for_good_goes_to_the_dead_and_blocks_nobody(spool: Spool) -> None:
    fill(spool, 1, 2, 3)
    target = Target(refuses=2)
    assert await spool.drain(target.write) == 2
    assert target.taken == [1, 3]
    assert [entry.record["n"] for entry in spool.dead()] == [2]
    assert spool.size() == 0


async def test_a_torn_last_line_is_left_out_and_the_next_entry_is_whole(spool: Spool) -> None:
    fill(spool, 1, 2)
    queue = spool.folder / "queue.jsonl"
    queue.write_bytes(queue.read_bytes()[:-9])
    fill(spool, 3)
    target = Target()
    await spool.drain(target.write)
    assert target.taken == [1, 3]


async def test_a_changed_line_is_left_out(spool: Spool) -> None:
    fill(spool, 1, 2)
    queue = spool.folder / "queue.jsonl"
    queue.write_text(queue.read_text().replace('"n":1', '"n":7'))
    target = Target()
    await spool.drain(target.write)
    assert target.taken == [2]


async def test_another_process_at_draining_is_waited_for(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.storage import spool as module
    from agent.storage.files import FileLock

    fill(spool, 1)
    monkeypatch.setattr(module, "DRAIN_S", 0.05)
    with FileLock(spool.folder / "drain.lock"), pytest.raises(StoreAwayError):
        await spool.drain(Target().write)
    assert await spool.drain(Target().write) == 1


def test_an_entry_is_on_the_disk_when_append_returns(spool: Spool) -> None:
    spool.append("correction", {"text": "naïve 🙂 \ud83d", "n": 1}, conversation_id="c")
    again = Spool(spool.folder).entries()
    assert [(e.kind, e.conversation_id, e.record["text"]) for e in again] == [
        ("correction", "c", "naïve 🙂 \ud83d")
    ]
    assert again[0].at.tzinfo is UTC
    assert abs((datetime.now(UTC) - again[0].at).total_seconds()) < 60


def test_a_full_spool_says_so(spool: Spool) -> None:
    small = Spool(spool.folder, limit_bytes=100)
    fill(small, 1)
    with pytest.raises(StoreError, match="bring Redis back"):
        fill(small, 2, 3)


def test_a_folder_that_cannot_be_written_is_a_clear_line(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        fill(Spool(tmp_path / "spool"), 1)


async def test_a_person_is_forgotten_in_every_file(spool: Spool) -> None:
    fill(spool, 1, 2)
    with pytest.raises(StoreAwayError):
        await spool.drain(Target(away_after=0).write)
    fill(spool, 3, 4)
    assert spool.forget("c1") == 2
    target = Target()
    await spool.drain(target.write)
    assert target.taken == [2, 4]
    assert spool.forget("c1") == 0


async def test_an_entry_of_a_newer_version_is_refused_not_guessed(spool: Spool) -> None:
    import zlib

    fill(spool, 1)
    text = json.dumps({"v": 2, "kind": "turn"})
    with (spool.folder / "queue.jsonl").open("a") as file:
        file.write(f"{zlib.crc32(text.encode()):08x} {text}\n")
    with pytest.raises(StoreError, match="update intent-agent"):
        await spool.drain(Target().write)
    assert spool.size() > 0


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=4))
def test_any_record_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, record: dict[str, object]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    spool.append("turn", record, conversation_id="\n")
    assert [entry.record for entry in spool.entries()] == [record]
