import contextlib
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from knowledge.collection import Collection, SyncReport, current_folder
from knowledge.errors import AgentError, InputError
from knowledge.lexical import LexicalIndex
from knowledge.passage import Document
from knowledge.passage_store import PassageStore
from knowledge.retriever import open_retriever
from tests.knowledge.fake_encoder import FakeEncoder

FULL = bool(os.environ.get("INTENT_AGENT_FULL_COUNTS"))


@pytest.fixture
def collection(tmp_path: Path, encoder: FakeEncoder) -> Collection:
    return Collection.open(tmp_path / "index", encoder)


def found(collection: Collection, query: str) -> list[str]:
    retriever = open_retriever(collection.folder, encoder=collection.encoder)
    hits = retriever.search_all(query, limit=3)
    retriever.close()
    return [scored.passage.document_id for scored in hits if (scored.lexical or 0) > 0]


def counts(report: SyncReport) -> tuple[int, int, int]:
    return report.added, report.updated, report.deleted


def test_the_first_synchronization_indexes_everything(
    collection: Collection, documents: Path
) -> None:
    report = collection.sync(documents)
    assert counts(report) == (3, 0, 0)
    assert (report.documents, report.passages) == (3, 4)
    assert found(collection, "block card")[0] == "cards/block.md"


def test_unchanged_files_are_neither_read_nor_encoded(
    collection: Collection, documents: Path, encoder: FakeEncoder
) -> None:
    collection.sync(documents)
    encoder.encoded.clear()
    os.utime(documents / "fees.md", ns=(1, 1))
    assert counts(collection.sync(documents)) == (0, 0, 0)
    assert encoder.encoded == []


def test_changed_new_and_deleted_files_are_followed(
    collection: Collection, documents: Path
) -> None:
    collection.sync(documents)
    (documents / "hours.txt").write_text("Closed on Sundays.")
    (documents / "fees.md").unlink()
    (documents / "new.md").write_text("A zebra.")
    assert counts(collection.sync(documents)) == (1, 1, 1)
    assert found(collection, "zebra") == ["new.md"]
    assert found(collection, "Sundays") == ["hours.txt"]
    assert found(collection, "transfer morning") == []


def test_a_file_is_told_to_be_done_once_its_text_is_in_the_index(
    collection: Collection, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.collection.BATCH_CHARACTERS", 1)
    written: list[int] = []
    encode = collection.encoder.encode_passages

    def noting(texts: Sequence[str]) -> Any:
        written.append(len(texts))
        return encode(texts)

    monkeypatch.setattr(collection.encoder, "encode_passages", noting)
    told: list[tuple[int, int, int]] = []
    collection.sync(documents, progress=lambda done, of: told.append((done, of, len(written))))
    assert told == [(1, 3, 1), (2, 3, 2), (3, 3, 3)]


def test_a_broken_file_is_reported_and_the_rest_indexed(
    collection: Collection, documents: Path
) -> None:
    (documents / "bad.md").write_bytes(b"\0\1\2")
    (documents / "empty.md").write_text("")
    (documents / "photo.png").write_bytes(b"x")
    report = collection.sync(documents)
    assert counts(report) == (3, 0, 0)
    assert [skipped.path for skipped in report.skipped] == ["bad.md", "empty.md", "photo.png"]


def test_a_file_that_became_unreadable_keeps_its_last_good_state(
    collection: Collection, documents: Path
) -> None:
    collection.sync(documents)
    (documents / "hours.txt").write_bytes(b"\0\1\2")
    assert [skipped.path for skipped in collection.sync(documents).skipped] == ["hours.txt"]
    assert found(collection, "branches morning") == ["hours.txt"]


def test_an_empty_folder_makes_an_index_that_finds_nothing(
    collection: Collection, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    assert collection.sync(tmp_path / "none").documents == 0
    assert found(collection, "anything") == []


def test_a_missing_folder_is_named(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        collection.sync(tmp_path / "nowhere")


def test_single_documents_are_put_in_replaced_and_taken_out(collection: Collection) -> None:
    one, two = Document("1", "One", "alpha"), Document("2", "Two", "beta")
    assert counts(collection.upsert([one, two])) == (2, 0, 0)
    assert counts(collection.upsert([one, Document("2", "Two", "gamma")])) == (0, 1, 0)
    assert found(collection, "beta") == []
    assert found(collection, "gamma") == ["2"]
    assert counts(collection.delete(["2", "2", "unknown"])) == (0, 0, 1)
    assert found(collection, "gamma") == []


def test_the_last_of_two_documents_with_one_id_counts(collection: Collection) -> None:
    report = collection.upsert([Document("1", "", "alpha"), Document("1", "", "beta")])
    assert report.documents == 1
    assert found(collection, "beta") == ["1"]


def test_another_encoder_makes_the_index_again_and_says_so(
    collection: Collection, documents: Path
) -> None:
    collection.sync(documents)
    other = Collection.open(collection.folder, FakeEncoder(name="other", dimensions=32))
    report = other.sync(documents)
    assert counts(report) == (3, 0, 0)
    assert "encoder fingerprint" in report.notices[0]
    assert found(other, "block card")[0] == "cards/block.md"


def test_where_only_the_words_are_cut_otherwise_no_passage_is_encoded_again(
    collection: Collection, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.sync(documents)
    before = current_folder(collection.folder)
    encoder = FakeEncoder()
    monkeypatch.setattr("knowledge.collection.ANALYZER_VERSION", 99)
    again = Collection.open(collection.folder, encoder)
    report = again.sync(documents)
    assert (counts(report), report.documents, encoder.encoded) == ((0, 0, 0), 3, [])
    assert "analyzer version" in report.notices[0]
    assert current_folder(collection.folder) != before
    assert found(again, "block card")[0] == "cards/block.md"


def test_the_index_before_a_rebuild_is_kept_and_serves_when_the_new_one_is_damaged(
    collection: Collection, documents: Path
) -> None:
    collection.sync(documents)
    other = Collection.open(collection.folder, FakeEncoder(name="other"))
    other.sync(documents)
    place = current_folder(collection.folder)
    assert place is not None
    data = (place / "passages.db").read_bytes()
    (place / "passages.db").write_bytes(data[: len(data) // 2])
    retriever = open_retriever(collection.folder, encoder=collection.encoder)
    assert retriever.search_all("block card")[0].passage.document_id == "cards/block.md"
    assert "agent knowledge index" in (retriever.notice or "")


@pytest.mark.parametrize("damage", ["truncated", "garbage", "gone"])
def test_a_damaged_index_is_made_again(
    collection: Collection, documents: Path, damage: str
) -> None:
    collection.sync(documents)
    place = current_folder(collection.folder)
    assert place is not None
    path = place / "passages.db"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "garbage":
        path.write_bytes(b"nonsense" * 4000)
    else:
        path.unlink()
    with pytest.raises(AgentError, match="agent knowledge index"):
        open_retriever(collection.folder, encoder=collection.encoder)
    report = collection.sync(documents)
    assert counts(report) == (3, 0, 0)
    assert report.notices
    assert found(collection, "block card")[0] == "cards/block.md"


def test_damaged_words_are_made_again_from_the_passages(
    collection: Collection, documents: Path
) -> None:
    collection.sync(documents)
    place = current_folder(collection.folder)
    assert place is not None
    (place / "words" / "meta.json").write_text("{")
    collection.sync(documents)
    assert found(collection, "zebra transfer")[0] == "fees.md"


class Killed(BaseException):
    """Stands for the end of the process."""


def not_there(name: str) -> Path:
    raise AgentError(f"there is no encoder {name}")


@pytest.mark.parametrize(
    ("owner", "method"),
    [(PassageStore, "write"), (LexicalIndex, "update"), (Collection, "_publish")],
)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("rebuild", [False, True])
def test_ended_at_any_step_the_old_or_the_new_state_serves_and_the_next_run_heals(
    collection: Collection,
    documents: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    when: str,
    rebuild: bool,
) -> None:
    monkeypatch.setattr("knowledge.open_index.encoder_folder", not_there)
    collection.sync(documents)
    encoder = FakeEncoder(name="other" if rebuild else "fake")
    (documents / "hours.txt").write_text("A zebra sleeps.")
    original = getattr(owner, method)

    def end(*arguments: object, **options: object) -> None:
        if when == "after":
            original(*arguments, **options)
        raise Killed

    writer = Collection.open(collection.folder, encoder)
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, end)
        with contextlib.suppress(Killed):
            writer.sync(documents)
    opened = 0
    for served in (collection, writer):
        try:
            retriever = open_retriever(collection.folder, encoder=served.encoder)
        except AgentError:
            continue  # the other of the two encoders is the one that serves
        opened += 1
        texts = {scored.passage.text for scored in retriever.search_all("zebra branches morning")}
        assert len(texts & {"A zebra sleeps.", "Our branches open at nine in the morning."}) == 1
    assert opened
    writer.sync(documents)
    assert found(writer, "zebra") == ["hours.txt"]


def test_searches_go_on_while_the_index_is_written(collection: Collection, documents: Path) -> None:
    collection.sync(documents)
    retriever = open_retriever(collection.folder, encoder=collection.encoder)
    stop, failures, searches = threading.Event(), [], 0

    def write() -> None:
        for number in range(12):
            (documents / "hours.txt").write_text(f"Version {number} opens at nine.")
            collection.sync(documents)
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not stop.is_set():
        found_now = retriever.search_all("opens at nine", limit=8)
        searches += 1
        versions = [s for s in found_now if s.passage.document_id == "hours.txt"]
        if len(versions) != 1:
            failures.append(found_now)
    writer.join()
    assert searches > 0
    assert failures == []
    assert retriever.search_all("version 11")[0].passage.text == "Version 11 opens at nine."


def _sync_in_child(index: str, folder: str) -> None:
    Collection.open(Path(index), FakeEncoder()).sync(Path(folder))


def test_two_builds_at_once_wait_for_one_another(collection: Collection, documents: Path) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = (str(collection.folder), str(documents))
    children = [context.Process(target=_sync_in_child, args=arguments) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert found(collection, "block card")[0] == "cards/block.md"
    assert counts(collection.sync(documents)) == (0, 0, 0)


def test_a_lock_that_is_never_given_back_ends_in_a_message(
    tmp_path: Path, documents: Path, encoder: FakeEncoder
) -> None:
    import filelock

    folder = tmp_path / "index"
    folder.mkdir()
    with (
        filelock.FileLock(folder / "lock"),
        pytest.raises(AgentError, match="another process"),
    ):
        Collection(folder, encoder, lock_timeout_s=0.1).sync(documents)


def test_an_index_folder_that_cannot_be_made_is_explained(
    tmp_path: Path, encoder: FakeEncoder
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(AgentError, match="file"):
        Collection.open(tmp_path / "file" / "index", encoder)


CHILD = """
    import sys
    from pathlib import Path
    from knowledge.collection import Collection
    from tests.knowledge.fake_encoder import FakeEncoder

    folder, documents = Path(sys.argv[1]), Path(sys.argv[2])
    number = 0
    while True:
        number += 1
        (documents / "hours.txt").write_text(f"Version {number} opens at nine.")
        encoder = FakeEncoder(name=f"encoder {number // 3}")
        Collection.open(folder, encoder).sync(documents)
        print(number // 3, flush=True)
"""


@pytest.mark.slow
def test_killed_at_a_random_moment_an_index_serves(collection: Collection, documents: Path) -> None:
    for run in range(20 if FULL else 6):
        shutil.rmtree(collection.folder, ignore_errors=True)
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), str(collection.folder), str(documents)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        last = child.stdout.readline().strip()
        time.sleep(0.05 + 0.037 * run)
        os.kill(child.pid, signal.SIGKILL)
        last = (child.stdout.read().split() or [last])[-1]
        child.wait()
        child.stdout.close()
        opened = 0
        for number in (int(last), int(last) + 1):
            try:
                retriever = open_retriever(
                    collection.folder, encoder=FakeEncoder(name=f"encoder {number}")
                )
            except AgentError:
                continue
            opened += 1
            passages = retriever.search_all("opens at nine", limit=9)
            assert sum(s.passage.document_id == "hours.txt" for s in passages) == 1
            retriever.close()
        # Killed between the swap and the removal of the old index, each opens with its encoder.
        assert opened >= 1


def test_of_a_table_only_the_changed_rows_are_written(
    collection: Collection, tmp_path: Path, encoder: FakeEncoder
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    table = folder / "faq.csv"
    table.write_text("question,answer\nWho zebra?,We.\nWhere lion?,Here.\nWhen tiger?,Now.\n")
    assert counts(collection.sync(folder)) == (3, 0, 0)
    encoder.encoded.clear()
    table.write_text("question,answer\nWho zebra?,We.\nWhere lion?,There.\nWhy bear?,So.\n")
    assert counts(collection.sync(folder)) == (1, 1, 1)
    assert sorted(encoder.encoded) == ["Where lion?", "Why bear?"]
    assert len(found(collection, "zebra")) == len(found(collection, "bear")) == 1
    assert found(collection, "tiger") == []
    table.unlink()
    assert counts(collection.sync(folder)) == (0, 0, 3)


def test_several_folders_are_one_collection(
    collection: Collection, documents: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "fees.md").write_text("A zebra costs nothing.")
    assert collection.sync(documents, more).documents == 4
    assert found(collection, "zebra") == ["more/fees.md"]
    assert counts(collection.sync(documents)) == (0, 0, 1)


def test_a_bad_row_is_reported_with_its_line(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "f.jsonl").write_text('{"question": "a", "answer": "b"}\n{\n')
    (skipped,) = collection.sync(tmp_path / "docs").skipped
    assert skipped.path == "f.jsonl:2"


def test_a_full_disk_is_named_and_the_old_state_serves_until_there_is_room(
    collection: Collection, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.sync(documents)
    connect = sqlite3.connect

    def connect_with_little_room(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {used + 2}")
        return connection

    many = [Document(str(n), "", f"zebra {n} " * 50) for n in range(50)]
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_with_little_room)
        with pytest.raises(AgentError, match=r"is full.*free disk space"):
            collection.upsert(many)
    assert found(collection, "block card")[0] == "cards/block.md"
    assert found(collection, "zebra") == []
    assert collection.upsert(many).added == 50
    assert len(found(collection, "zebra")) == 3


def test_vectors_that_cannot_be_written_are_named_and_made_the_next_time(
    collection: Collection, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.vector_cache.KEEP_FROM", 1)

    def fail(*_: object) -> None:
        raise RuntimeError("write error: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("faiss.write_index", fail)
        with pytest.raises(AgentError, match=r"vectors cannot be written.*No space left"):
            collection.sync(documents)
    collection.sync(documents)
    place = current_folder(collection.folder)
    assert place is not None
    assert (place / "vectors.faiss").is_file()
    assert not list(place.glob("*.partial"))
    assert found(collection, "block card")[0] == "cards/block.md"


def test_an_index_of_another_format_is_refused_by_name_and_made_again(
    collection: Collection, documents: Path
) -> None:
    collection.sync(documents)
    place = current_folder(collection.folder)
    assert place is not None
    PassageStore(place / "passages.db", writable=True).write_meta({"format": "1"})
    with pytest.raises(AgentError, match=r"format 1, this version reads \d; run `agent knowledge"):
        open_retriever(collection.folder, encoder=collection.encoder)
    assert counts(collection.sync(documents)) == (3, 0, 0)
    assert found(collection, "block card")[0] == "cards/block.md"
