"""A set of documents kept in step with its files: hashes, upsert, delete, manifest."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from knowledge.chunker import CHUNKER_VERSION, chunk
from knowledge.encoder import Encoder
from knowledge.errors import AgentError, InputError
from knowledge.lexical import ANALYZER_VERSION, LexicalIndex
from knowledge.loader import Skipped, document_id, knowledge_files, load_file
from knowledge.passage import Document
from knowledge.passage_store import FileFacts, PassageStore, indexed_text
from knowledge.vector_cache import keep_vectors

FORMAT = 1
CURRENT = "current"
BUILDING = "building"
STORE_FILE = "passages.db"
WORDS_FOLDER = "words"
LOCK_TIMEOUT_S = 3600.0
# One transaction: what a kill can cost, and what must fit into memory at once.
BATCH_DOCUMENTS = 256

Progress = Callable[[int, int], None]


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
    def open(cls, folder: Path, encoder: Encoder) -> "Collection":
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
        return cls(folder, encoder)

    def sync(self, documents_dir: Path, *, progress: Progress | None = None) -> SyncReport:
        """Makes the index show the files below `documents_dir`.

        Files that cannot be read are reported, and keep their last good state in the index.
        `progress` is told how many files are done, and of how many.

        Raises:
            InputError: no such folder.
            AgentError: the index cannot be written.
        """
        if not documents_dir.is_dir():
            raise InputError("no such folder of documents", path=documents_dir)
        with self._writing() as (store, notices):
            known = store.files()
            changes = _Changes(documents_dir, known)
            added = updated = 0
            for batch in _batches(changes.changed(progress)):
                self._write(store, batch)
                new = sum(document.id not in known for document, _ in batch)
                added, updated = added + new, updated + len(batch) - new
            store.touch(changes.touched)
            if changes.missing:
                store.write([], changes.missing)
            documents, passages = store.counts()
        return SyncReport(
            added=added,
            updated=updated,
            deleted=len(changes.missing),
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
            known = store.files()
            for batch in _batches((document, _facts(document)) for document in documents):
                changed = {
                    document.id: (document, facts)
                    for document, facts in batch
                    if known.get(document.id) != facts
                }
                self._write(store, list(changed.values()))
                new = sum(name not in known for name in changed)
                added, updated, done = added + new, updated + len(changed) - new, done + len(batch)
                known |= {name: facts for name, (_, facts) in changed.items()}
                if progress is not None:
                    progress(done, done)
            counts = store.counts()
        report = SyncReport(added=added, updated=updated, notices=tuple(notices))
        return replace(report, documents=counts[0], passages=counts[1])

    def delete(self, document_ids: Iterable[str]) -> SyncReport:
        """Takes documents out of the index; unknown ids are passed over."""
        with self._writing() as (store, notices):
            known = store.files()
            gone = [name for name in dict.fromkeys(document_ids) if name in known]
            if gone:
                store.write([], gone)
            documents, passages = store.counts()
        return SyncReport(
            deleted=len(gone), notices=tuple(notices), documents=documents, passages=passages
        )

    def _write(self, store: PassageStore, batch: Sequence[tuple[Document, FileFacts]]) -> None:
        if not batch:
            return
        window = self.encoder.text_tokens
        pieces = [
            chunk(document, self.encoder.token_offsets, max_tokens=window) for document, _ in batch
        ]
        texts = [indexed_text(passage) for passages in pieces for passage in passages]
        vectors = self.encoder.encode_passages(texts)
        rows, at = [], 0
        for (document, facts), passages in zip(batch, pieces, strict=True):
            rows.append((document, facts, passages, vectors[at : at + len(passages)]))
            at += len(passages)
        store.write(rows)

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
        building.mkdir(exist_ok=True)
        return building

    def _unfit(self, place: Path) -> str | None:
        """Why an index cannot be continued with this encoder and this version; None if it can."""
        try:
            store = PassageStore(place / STORE_FILE)
            found = store.meta()
            store.close()
        except AgentError as error:
            return str(error)
        for key, wanted in self._manifest().items():
            if found.get(key) != wanted and key != "encoder":
                return f"its {key.replace('_', ' ')} is {found.get(key)!r}, now {wanted!r}"
        return None

    def _manifest(self) -> dict[str, str]:
        return {
            "format": str(FORMAT),
            "encoder": self.encoder.spec.name,
            "encoder_fingerprint": self.encoder.fingerprint,
            "dimensions": str(self.encoder.dimensions),
            "chunker_version": str(CHUNKER_VERSION),
            "analyzer_version": str(ANALYZER_VERSION),
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


class _Changes:
    """Compares a folder's files with what the index knows of them."""

    def __init__(self, folder: Path, known: dict[str, FileFacts]):
        self._folder, self._known = folder, known
        self._files = list(knowledge_files(folder))
        present = {document_id(path, folder) for path in self._files}
        self.missing = [name for name in known if name not in present]
        self.touched: dict[str, FileFacts] = {}
        self.skipped: list[Skipped] = []

    def changed(self, progress: Progress | None) -> Iterator[tuple[Document, FileFacts]]:
        """New and changed documents, each with its file's facts."""
        for number, path in enumerate(self._files, 1):
            name = document_id(path, self._folder)
            try:
                yield from self._changed_file(path, name)
            except InputError as error:
                self.skipped.append(Skipped(name, error.message))
            if progress is not None:
                progress(number, len(self._files))

    def _changed_file(self, path: Path, name: str) -> Iterator[tuple[Document, FileFacts]]:
        old = self._known.get(name)
        try:
            stat = path.stat()
            if old and (old.size, old.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                return
            digest = _digest(path) if old else ""
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror or error})") from error
        if old and old.sha256 == digest:
            self.touched[name] = FileFacts(digest, stat.st_size, stat.st_mtime_ns)
            return
        document = load_file(path, self._folder)
        yield document, FileFacts(digest or _digest(path), stat.st_size, stat.st_mtime_ns)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(document: Document) -> FileFacts:
    """Facts of a document that comes from no file: a digest of all that is indexed."""
    parts = (document.title, document.text, repr(sorted(document.metadata.items())))
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return FileFacts(digest, len(document.text), 0)


def _batches(
    documents: Iterable[tuple[Document, FileFacts]],
) -> Iterator[list[tuple[Document, FileFacts]]]:
    batch: list[tuple[Document, FileFacts]] = []
    for item in documents:
        batch.append(item)
        if len(batch) == BATCH_DOCUMENTS:
            yield batch
            batch = []
    if batch:
        yield batch
