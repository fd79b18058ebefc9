"""Compares folders of files with what an index knows of them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from knowledge.errors import InputError
from knowledge.loader import Skipped, file_name, knowledge_files, load_file
from knowledge.passage import Document
from knowledge.passage_rows import FileFacts

Progress = Callable[[int, int], None]
T = TypeVar("T")
# Stands for the digest of a file that could not be read.
BROKEN = ""


class Known(Protocol):
    """What the index knows."""

    def files(self) -> dict[str, FileFacts]:
        """Its files with what they were like."""

    def documents_of(self, file: str) -> dict[str, str]:
        """A file's documents with their digests."""


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A new or changed document of a file."""

    document: Document
    digest: str
    file: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file whose documents were all told; `facts` is None when the file is gone.

    `removed` are the documents that it no longer holds.
    """

    file: str
    facts: FileFacts | None
    removed: tuple[str, ...] = ()


class FolderChanges:
    """The changes of the files below some folders since an index was written.

    `touched`, `skipped` and the three counts of documents fill while `changed` is read.
    """

    def __init__(self, folders: Sequence[Path], index: Known) -> None:
        self._index, self._known = index, index.files()
        self._files: dict[str, tuple[Path, Path]] = {}
        self.touched: dict[str, FileFacts] = {}
        self.skipped: list[Skipped] = []
        self.added = self.updated = self.deleted = 0
        for number, folder in enumerate(folders):
            prefix = f"{folder.name}/" if number else ""
            for path in knowledge_files(folder):
                name = prefix + file_name(path, folder)
                if name in self._files:
                    reason = f"has the same name as {self._files[name][0]}"
                    self.skipped.append(Skipped(str(path), reason))
                else:
                    self._files[name] = (path, folder)

    def any(self) -> bool:
        """Whether a file came, went, or has another size or time; broken files count as seen."""
        if self._known.keys() - self._files.keys():
            return True
        for name, (path, _) in self._files.items():
            try:
                stat = path.stat()
            except OSError:
                continue
            old = self._known.get(name)
            if old is None or (old.size, old.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
                return True
        return False

    def changed(self, progress: Progress | None = None) -> Iterator[FileChange | DocumentChange]:
        """New and changed documents file by file, after each file that it is done."""
        for number, (name, (path, _)) in enumerate(self._files.items(), 1):
            try:
                yield from self._changed_file(path, name)
            except InputError as error:
                line = f":{error.line}" if error.line else ""
                self.skipped.append(Skipped(f"{name}{line}", error.message))
                self._note_broken(path, name)
            if progress is not None:
                progress(number, len(self._files))
        for name in self._known.keys() - self._files.keys():
            gone = tuple(self._index.documents_of(name))
            self.deleted += len(gone)
            yield FileChange(name, None, gone)

    def _changed_file(self, path: Path, name: str) -> Iterator[FileChange | DocumentChange]:
        old = self._known.get(name)
        try:
            stat = path.stat()
            seen = old and (old.size, old.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
            if old and seen and old.sha256 != BROKEN:
                return
            digest = _file_digest(path)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror or error})") from error
        facts = FileFacts(digest, stat.st_size, stat.st_mtime_ns)
        if old and old.sha256 == digest:
            self.touched[name] = facts
            return
        loaded = load_file(path, name)
        self.skipped += [Skipped(f"{name}:{row.path}", row.reason) for row in loaded.skipped]
        before = self._index.documents_of(name)
        yield from self._changed_documents(loaded.documents, name, before)
        gone = tuple(before.keys() - {document.id for document in loaded.documents})
        self.deleted += len(gone)
        yield FileChange(name, facts, gone)

    def _note_broken(self, path: Path, name: str) -> None:
        """Notes a file that could not be read, so that it is tried again but is no news."""
        with suppress(OSError):
            stat = path.stat()
            self.touched[name] = FileFacts(BROKEN, stat.st_size, stat.st_mtime_ns)

    def _changed_documents(
        self, documents: Iterable[Document], file: str, before: Mapping[str, str]
    ) -> Iterator[DocumentChange]:
        for document in documents:
            digest = document_digest(document)
            if before.get(document.id) != digest:
                self.added += document.id not in before
                self.updated += document.id in before
                yield DocumentChange(document, digest, file)


def document_digest(document: Document) -> str:
    """A digest of all of a document that is indexed."""
    metadata = repr(sorted(document.metadata.items()))
    parts = (document.title, document.question, document.text, document.markup, metadata)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last perhaps shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
