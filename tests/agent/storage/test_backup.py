import json
import sqlite3
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.feedback.correction import Correction
from agent.storage.accounts import Accounts
from agent.storage.backup import back_up, restore
from agent.storage.rasa_trackers import read_trackers
from agent.storage.store import Store

EVENTS = [{"event": "user", "text": "héllo 你好", "timestamp": 1.0}]


async def _filled(root: Path) -> Store:
    root.mkdir()
    store = await Store.open("embedded:", root)
    turn = {"id": "t1", "message": {"id": "m", "text": "héllo", "conversation_id": "c1"}}
    await store.commit_turn(turn, "c1", EVENTS)
    await store.add_correction(Correction("hm", "intent", "mia", intent="greet", id="k1"))
    await Accounts(store).put("mia", "admin", "hash")
    folder = root / "models" / "m1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (root / "models" / "production").write_text("m1\n")
    return store


async def test_a_backup_is_its_owners_and_replaces_no_file_unasked(tmp_path: Path) -> None:
    file = tmp_path / "all.tar.gz"
    async with await _filled(tmp_path / "old") as store:
        await back_up(store, tmp_path / "old", file)
        assert file.stat().st_mode & 0o777 == 0o600
        whole = file.read_bytes()
        with pytest.raises(InputError, match="--force"):
            await back_up(store, tmp_path / "old", file)
        assert file.read_bytes() == whole
        await back_up(store, tmp_path / "old", file, replace=True)
        assert [path.name for path in tmp_path.glob(".all*")] == []


async def test_a_backup_restores_conversations_turns_corrections_users_and_model(
    tmp_path: Path,
) -> None:
    file = tmp_path / "all.tar.gz"
    async with await _filled(tmp_path / "old") as store:
        made = await back_up(store, tmp_path / "old", file)
    (tmp_path / "new").mkdir()
    async with await Store.open("embedded:", tmp_path / "new") as store:
        back = await restore(store, tmp_path / "new", file)
        assert back == made
        assert await store.load_events("c1") == EVENTS
        turn = await store.turn("t1")
        assert turn is not None
        assert turn["message"]["text"] == "héllo"
        correction = await store.correction("k1")
        assert correction is not None
        assert correction.intent == "greet"
        assert [one.name for one in await Accounts(store).all()] == ["mia"]
    assert (tmp_path / "new" / "models" / "production").read_text().strip() == "m1"
    assert (tmp_path / "new" / "models" / "m1" / "manifest.json").is_file()


async def test_a_store_that_holds_something_is_not_overwritten_unasked(tmp_path: Path) -> None:
    file = tmp_path / "all.tar.gz"
    async with await _filled(tmp_path / "old") as store:
        await back_up(store, tmp_path / "old", file)
        await store.append_events("c2", EVENTS)
        with pytest.raises(InputError, match="--replace"):
            await restore(store, tmp_path / "old", file)
        assert await store.load_events("c2") == EVENTS
        await restore(store, tmp_path / "old", file, replace=True)
        assert await store.load_events("c2") == []
        assert await store.load_events("c1") == EVENTS


@pytest.mark.parametrize("damage", ["truncated", "no archive", "empty"])
async def test_a_damaged_backup_changes_nothing(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "all.tar.gz"
    async with await _filled(tmp_path / "old") as store:
        await back_up(store, tmp_path / "old", file)
        whole = file.read_bytes()
        file.write_bytes(
            {"truncated": whole[: len(whole) // 2], "no archive": b"x" * 99, "empty": b""}[damage]
        )
        with pytest.raises(InputError, match="no backup"):
            await restore(store, tmp_path / "old", file, replace=True)
        assert await store.load_events("c1") == EVENTS


def test_rasas_sqlite_tracker_store_is_read(tmp_path: Path) -> None:
    file = tmp_path / "rasa.db"
    with sqlite3.connect(file) as database:
        database.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, sender_id TEXT, type_name TEXT, "
            "timestamp FLOAT, intent_name TEXT, action_name TEXT, data TEXT)"
        )
        rows = [
            ("b", 2.0, {"event": "user", "text": "late", "timestamp": 2.0}),
            ("b", 1.0, {"event": "action", "name": "action_listen", "timestamp": 1.0}),
        ]
        for sender, at, data in rows:
            database.execute(
                "INSERT INTO events (sender_id, timestamp, data) VALUES (?, ?, ?)",
                (sender, at, json.dumps(data)),
            )
    database.close()
    [(sender, events)] = list(read_trackers(file))
    assert sender == "b"
    assert [event["event"] for event in events] == ["action", "user"]


def test_trackers_are_read_from_json_lines_and_faults_name_their_line(tmp_path: Path) -> None:
    file = tmp_path / "trackers.jsonl"
    good = json.dumps({"sender_id": "a", "events": EVENTS})
    file.write_text(f"{good}\n\n")
    assert [sender for sender, _ in read_trackers(file)] == ["a"]
    file.write_text(f"{good}\n" + json.dumps({"sender_id": "b", "events": [{"event": "x"}]}))
    with pytest.raises(InputError, match=r"trackers.jsonl:2: unknown event 'x'"):
        list(read_trackers(file))
    file.write_text("not json")
    with pytest.raises(InputError, match="jsonl:1"):
        list(read_trackers(file))
