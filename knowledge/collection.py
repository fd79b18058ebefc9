"""A set of documents kept in step with its files: hashes, upsert, delete, manifest."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import filelock

from knowledge.chunker import CHUNKER_VERSION, chunk
from knowledge.encoder import Encoder
from knowledge.errors import AgentError, InputError
from knowledge.folder_changes import (
    DocumentChange,
    FileChange,
    FolderChanges,
    Progress,
    batched,
    document_digest,
)
from knowledge.lexical import ANALYZER_VERSION, LexicalIndex
from knowledge.loader import Skipped
from knowledge.passage import Document
from knowledge.passage_rows import Entry, FileFacts
from knowledge.passage_store import PassageStore
from knowledge.vector_cache import keep_vectors

FORMAT = 2
CURRENT = "current"
BUILDING = "building"
STORE_FILE = "passages.db"
WORDS_FOLDER = "words"
ANALYZER = "analyzer_version"
LOCK_TIMEOUT_S = 3600.0
# One transaction: what a kill can cost, what must fit into memory at once, and how far ahead of
# the index the files are read that `progress` tells of.
BATCH_DOCUMENTS = 256
BATCH_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronization did; the first three count documents.

    `skipped` are files that are not in the index, `notices` what else a person should know.
    """

    added: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: tuple[Skipped, ...] = ()
    notices: tuple[str, ...] = ()
    documents: int = 0
    passages: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.added or self.updated or self.deleted)


class Collection:
    """An index folder that is written to: passages, vectors and words of some documents.

    Every change is atomic: killed at any point, the state before it serves on. An index of
    another encoder, chunker or format is made again beside the old one, which serves until
    the new one is whole. Two processes that write wait for one another.
    """

    def __init__(self, folder: Path, encoder: Encoder, *, lock_timeout_s: float = LOCK_TIMEOUT_S):
        self.folder, self.encoder = folder, encoder
        self._lock_timeout_s = lock_timeout_s

    @classmethod
    def open(
        cls, folder: Path, encoder: Encoder, *, lock_timeout_s: float = LOCK_TIMEOUT_S
    ) -> "Collection":
        """The collection in `folder`, which is made if it is missing.

        Raises:
            AgentError: the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AgentError(
                f"{folder}: cannot keep an index there ({error.strerror or error})"
            ) from error
        return cls(folder, encoder, lock_timeout_s=lock_timeout_s)

    def sync(self, *folders: Path, progress: Progress | None = None) -> SyncReport:
        """Makes the index show the files below the folders.

        Files and rows of tables that cannot be read are reported; a file keeps its last good
        state in the index. Documents of the second and further folders have the folder's name
        before their path. `progress` is told how many files are done, and of how many.

        Raises:
            InputError: no such folder.
            AgentError: the index cannot be written.
        """
        for folder in folders:
            if not folder.is_dir():
                raise InputError("no such folder of documents", path=folder)
        with self._writing() as (store, notices):
            changes = FolderChanges(folders, store)
            batch = _Batch()
            for change in changes.changed(progress):
                batch.take(change)
                if batch.is_full:
                    self._write(store, batch)
                    batch = _Batch()
            self._write(store, batch)
            store.touch(changes.touched)
            documents, passages = store.counts()
        return SyncReport(
            added=changes.added,
            updated=changes.updated,
            deleted=changes.deleted,
            skipped=tuple(changes.skipped),
            notices=tuple(notices),
            documents=documents,
            passages=passages,
        )

    def upsert(
        self, documents: Iterable[Document], *, progress: Progress | None = None
    ) -> SyncReport:
        """Puts documents into the index, in place of those with the same ids."""
        added = updated = done = 0
        with self._writing() as (store, notices):
            for batch in batched(documents, BATCH_DOCUMENTS):
                known = store.digests([document.id for document in batch])
                changed = _Batch()
                # Of two documents with one id the last counts.
                for document in {document.id: document for document in batch}.values():
                    digest = document_digest(document)
                    if known.get(document.id) != digest:
                        changed.documents.append((document, digest, None))
                        added += document.id not in known
                        updated += document.id in known
                self._write(store, changed)
                done += len(batch)
                if progress is not None:
                    progress(done, done)
            counts = store.counts()
        report = SyncReport(added=added, updated=updated, notices=tuple(notices))
        return replace(report, documents=counts[0], passages=counts[1])

    def delete(self, document_ids: Iterable[str]) -> SyncReport:
        """Takes documents out of the index; unknown ids are passed over."""
        gone: list[str] = []
        with self._writing() as (store, notices):
            for names in batched(dict.fromkeys(document_ids), BATCH_DOCUMENTS):
                gone += store.digests(names)
            if gone:
                store.write([], gone)
            documents, passages = store.counts()
        return SyncReport(
            deleted=len(gone), notices=tuple(notices), documents=documents, passages=passages
        )

    def _write(self, store: PassageStore, batch: "_Batch") -> None:
        if not (batch.documents or batch.removed or batch.files):
            return
        window = self.encoder.text_tokens
        pieces = [
            chunk(document, self.encoder.token_offsets, max_tokens=window)
            for document, _, _ in batch.documents
        ]
        texts = [passage.encoded_text for passages in pieces for passage in passages]
        vectors = self.encoder.encode_passages(texts)
        rows, at = [], 0
        for (document, digest, file), passages in zip(batch.documents, pieces, strict=True):
            rows.append(Entry(document, digest, file, passages, vectors[at : at + len(passages)]))
            at += len(passages)
        store.write(rows, batch.removed, batch.files)

    @contextmanager
    def _writing(self) -> Iterator[tuple[PassageStore, list[str]]]:
        """The store to write to, under the lock; then words follow, and a build is published."""
        notices: list[str] = []
        try:
            lock = filelock.FileLock(self.folder / "lock", timeout=self._lock_timeout_s)
            with lock:
                place = self._place(notices)
                store = self._open_store(place)
                try:
                    yield store, notices
                    catch_up_words(store, place / WORDS_FOLDER)
                    keep_vectors(store, place, self.encoder.dimensions)
                finally:
                    store.close()
                if place.name == BUILDING:
                    self._publish(place)
        except filelock.Timeout as error:
            raise AgentError(
                f"{self.folder}: another process is still writing the index"
            ) from error
        except OSError as error:
            raise AgentError(
                f"{self.folder}: the index cannot be written ({error.strerror or error})"
            ) from error

    def _place(self, notices: list[str]) -> Path:
        """The folder to write in: the current one if it fits, else one under construction."""
        current = current_folder(self.folder)
        if current is not None:
            reason = self._unfit(current)
            if reason is None:
                return current
            notices.append(f"the index is made again: {reason}")
        building = self.folder / BUILDING
        if building.is_dir() and self._unfit(building) is not None:
            shutil.rmtree(building)
        if not building.is_dir():
            building.mkdir()
            if current is not None and self._only_words_differ(current):
                self._copy_passages(current, building)
        return building

    def _only_words_differ(self, place: Path) -> bool:
        try:
            return self._differences(place).keys() == {ANALYZER}
        except AgentError:
            return False

    def _copy_passages(self, source: Path, target: Path) -> None:
        """Takes over passages and vectors where only the words have to be made again."""
        store = PassageStore(source / STORE_FILE)
        try:
            store.copy_to(target / STORE_FILE)
        finally:
            store.close()
        copy = PassageStore(target / STORE_FILE, writable=True)
        copy.write_meta(self._manifest())
        copy.close()

    def _unfit(self, place: Path) -> str | None:
        """Why an index cannot be continued with this encoder and this version; None if it can."""
        try:
            differences = self._differences(place)
        except AgentError as error:
            return str(error)
        for key, (found, wanted) in differences.items():
            return f"its {key.replace('_', ' ')} is {found!r}, now {wanted!r}"
        return None

    def _differences(self, place: Path) -> dict[str, tuple[str | None, str]]:
        """What the manifest says and should say, where that is not the same."""
        store = PassageStore(place / STORE_FILE)
        found = store.meta()
        store.close()
        return {
            key: (found.get(key), wanted)
            for key, wanted in self._manifest().items()
            if found.get(key) != wanted and key != "encoder"
        }

    def _manifest(self) -> dict[str, str]:
        return {
            **versions(),
            "encoder": self.encoder.spec.name,
            "encoder_fingerprint": self.encoder.fingerprint,
            "dimensions": str(self.encoder.dimensions),
        }

    def _open_store(self, place: Path) -> PassageStore:
        store = PassageStore(place / STORE_FILE, writable=True)
        if not store.meta():
            store.write_meta(self._manifest())
        return store

    def _publish(self, building: Path) -> None:
        """Gives a finished index its number and points to it; the one before is kept."""
        numbers = generation_folders(self.folder)
        new = self.folder / f"{(int(numbers[-1].name) if numbers else 0) + 1:04d}"
        previous = current_folder(self.folder)
        building.rename(new)
        write_pointer(self.folder, new.name)
        for old in numbers:
            if old != previous:
                shutil.rmtree(old, ignore_errors=True)


def versions() -> dict[str, str]:
    """By what rules an index is made, as its manifest says; it is made again when they change."""
    return {
        "format": str(FORMAT),
        "chunker_version": str(CHUNKER_VERSION),
        ANALYZER: str(ANALYZER_VERSION),
    }


def current_folder(folder: Path) -> Path | None:
    """The folder of the index that serves, None when there is none yet."""
    try:
        name = (folder / CURRENT).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return folder / name if name.isdigit() and (folder / name).is_dir() else None


def generation_folders(folder: Path) -> list[Path]:
    """Every finished index in `folder`, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*") if path.is_dir() and path.name.isdigit())


def write_pointer(folder: Path, name: str) -> None:
    """Makes `name` the current index, by one rename."""
    temporary = folder / f"{CURRENT}.partial"
    with temporary.open("w", encoding="ascii") as file:
        file.write(name + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / CURRENT)


def catch_up_words(store: PassageStore, folder: Path) -> None:
    """Brings the word index to the store's state; makes it again when it is damaged."""
    try:
        words = LexicalIndex(folder)
        if words.generation > store.generation():
            raise AgentError("the word index is ahead of the store")
    except AgentError:
        shutil.rmtree(folder, ignore_errors=True)
        words = LexicalIndex(folder)
    done, wanted = words.generation, store.generation()
    if done < wanted:
        removed = store.removed_since(done) if done else []
        words.update(store.texts_since(done), removed, generation=wanted)


@dataclass(slots=True)
class _Batch:
    """What goes into the index in one transaction."""

    documents: list[tuple[Document, str, str | None]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    files: dict[str, FileFacts | None] = field(default_factory=dict)
    characters: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is to be written before more is taken."""
        return len(self.documents) >= BATCH_DOCUMENTS or self.characters >= BATCH_CHARACTERS

    def take(self, change: "FileChange | DocumentChange") -> None:
        """Adds a changed document, or that a file is now indexed whole."""
        if isinstance(change, DocumentChange):
            self.documents.append((change.document, change.digest, change.file))
            self.characters += len(change.document.text)
        else:
            self.removed += change.removed
            self.files[change.file] = change.facts
