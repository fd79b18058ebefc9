"""Documents, passages and their vectors in one SQLite file: the truth of a collection."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.errors import AgentError
from knowledge.passage import Document, Passage

BUSY_TIMEOUT_S = 30.0
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, metadata TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE passages (
    key INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL, number INTEGER NOT NULL,
    text TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    headings TEXT NOT NULL, vector BLOB NOT NULL, generation INTEGER NOT NULL
);
CREATE INDEX passages_document ON passages (document);
CREATE INDEX passages_generation ON passages (generation);
CREATE TABLE removed (key INTEGER NOT NULL, generation INTEGER NOT NULL);
CREATE INDEX removed_generation ON removed (generation);
"""
COLUMNS = 'p.key, p.document, p.number, p.text, p.start, p."end", p.headings, d.title, d.metadata'

Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What tells whether a file changed: its digest, size in bytes and time in nanoseconds."""

    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The way from one generation to `generation`: keys that went, keys and vectors that came.

    `vectors` are of unit length, float32 (n, dimensions), stored with half that precision.
    """

    generation: int
    removed: tuple[int, ...]
    keys: Ids
    vectors: Vectors


class PassageStore:
    """One SQLite file; every change is one transaction that raises the generation by one.

    Safe to use from several threads; several processes may read while one writes.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        """Opens the file; with `writable` it is made if it is missing.

        Raises:
            AgentError: missing, damaged, or not to be written.
        """
        self.path, self._lock = path, threading.RLock()
        if not writable and not path.is_file():
            raise AgentError(f"{path}: there is no index here; run `agent knowledge index`")
        with self._explained():
            self._connection = _connect(path, writable=writable)
            if writable and not self._tables():
                self._connection.executescript(SCHEMA)
            self.generation()

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def meta(self) -> dict[str, str]:
        """The manifest's entries."""
        return dict(self._rows("SELECT key, value FROM meta"))

    def generation(self) -> int:
        """How many changes were made to the collection."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'generation'")
        return int(rows[0][0]) if rows else 0

    def files(self) -> dict[str, FileFacts]:
        """Every document's id with what its file was like."""
        rows = self._rows("SELECT id, sha256, size, mtime_ns FROM documents")
        return {name: FileFacts(*facts) for name, *facts in rows}

    def counts(self) -> tuple[int, int]:
        """Numbers of documents and of passages."""
        (documents,) = self._rows("SELECT count(*) FROM documents")[0]
        (passages,) = self._rows("SELECT count(*) FROM passages")[0]
        return int(documents), int(passages)

    def passages(self, keys: Sequence[int]) -> dict[int, Passage]:
        """The passages under those keys that there are."""
        marks = ",".join("?" * len(keys))
        return {
            row[0]: _passage(row)
            for row in self._rows(
                f"SELECT {COLUMNS} FROM passages p JOIN documents d ON d.id = p.document "  # noqa: S608
                f"WHERE p.key IN ({marks})",
                keys,
            )
        }

    def document_ids(self, keys: Sequence[int]) -> dict[int, str]:
        """The documents of the passages under those keys that there are."""
        marks = ",".join("?" * len(keys))
        sql = f"SELECT key, document FROM passages WHERE key IN ({marks})"  # noqa: S608
        return dict(self._rows(sql, keys))

    def texts_since(self, generation: int) -> Iterator[tuple[int, str]]:
        """Key and indexed text of each passage added after `generation`."""
        rows = self._rows(
            f"SELECT {COLUMNS} FROM passages p JOIN documents d ON d.id = p.document "  # noqa: S608
            "WHERE p.generation > ? ORDER BY p.key",
            [generation],
        )
        for row in rows:
            yield row[0], indexed_text(_passage(row))

    def changes_since(self, generation: int, dimensions: int) -> Changes:
        """What was added and removed after `generation`, all read from one state."""
        with self._reading():
            removed = self.removed_since(generation)
            rows = self._rows(
                "SELECT key, vector FROM passages WHERE generation > ? ORDER BY key", [generation]
            )
            now = self.generation()
        keys = np.fromiter((key for key, _ in rows), dtype=np.int64, count=len(rows))
        stored = np.frombuffer(b"".join(vector for _, vector in rows), dtype=np.float16)
        vectors = stored.reshape(len(rows), dimensions).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
        return Changes(now, tuple(removed), keys, vectors)

    def count_since(self, generation: int) -> int:
        """How many passages came or went after `generation`."""
        sql = (
            "SELECT (SELECT count(*) FROM passages WHERE generation > ?1)"
            " + (SELECT count(*) FROM removed WHERE generation > ?1)"
        )
        return int(self._rows(sql, [generation])[0][0])

    def removed_since(self, generation: int) -> list[int]:
        """Keys of the passages that went after `generation`."""
        sql = "SELECT key FROM removed WHERE generation > ?"
        return [key for (key,) in self._rows(sql, [generation])]

    def write_meta(self, entries: Mapping[str, str]) -> None:
        """Sets entries of the manifest."""
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", entries.items())

    def touch(self, files: Mapping[str, FileFacts]) -> None:
        """Notes new file times of documents whose text did not change."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE documents SET sha256 = ?, size = ?, mtime_ns = ? WHERE id = ?",
                [(f.sha256, f.size, f.mtime_ns, name) for name, f in files.items()],
            )

    def write(
        self,
        added: Sequence[tuple[Document, FileFacts, Sequence[Passage], Vectors]],
        removed: Iterable[str] = (),
    ) -> int:
        """Puts documents with their passages in place of the old ones, and takes others out.

        Returns the new generation.
        """
        with self._transaction() as connection:
            generation = self.generation() + 1
            names = [*removed, *(document.id for document, *_ in added)]
            connection.executemany(
                "INSERT INTO removed SELECT key, ? FROM passages WHERE document = ?",
                [(generation, name) for name in names],
            )
            gone = [(name,) for name in names]
            connection.executemany("DELETE FROM passages WHERE document = ?", gone)
            connection.executemany("DELETE FROM documents WHERE id = ?", gone)
            for document, facts, passages, vectors in added:
                _insert(connection, document, facts, passages, vectors, generation)
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('generation', ?)", [str(generation)]
            )
        return generation

    def _tables(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._explained():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Several reads of one state, whatever is written meanwhile."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise AgentError(
                f"{self.path}: the knowledge index cannot be used ({error}); "
                "free disk space if that is short, or delete the folder and run "
                "`agent knowledge index`"
            ) from error


def indexed_text(passage: Passage) -> str:
    """What is encoded and looked up: the title and headings, then the text."""
    return f"{passage.heading_line}\n{passage.text}" if passage.heading_line else passage.text


def _connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    if writable:
        connection = _open(path.absolute().as_uri())
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection
    try:
        connection = _open(f"{path.absolute().as_uri()}?mode=ro")
        connection.execute("SELECT count(*) FROM meta")
    except sqlite3.OperationalError:
        # A folder that cannot be written has no room for the log that readers share.
        connection = _open(f"{path.absolute().as_uri()}?immutable=1")
    return connection


def _open(uri: str) -> sqlite3.Connection:
    # The store has its own lock, so threads may share the connection.
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _insert(
    connection: sqlite3.Connection,
    document: Document,
    facts: FileFacts,
    passages: Sequence[Passage],
    vectors: Vectors,
    generation: int,
) -> None:
    metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
    connection.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
        (document.id, document.title, metadata, facts.sha256, facts.size, facts.mtime_ns),
    )
    connection.executemany(
        "INSERT INTO passages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                document.id,
                number,
                passage.text,
                passage.start,
                passage.end,
                json.dumps(passage.headings, ensure_ascii=False),
                vector.astype(np.float16).tobytes(),
                generation,
            )
            for number, (passage, vector) in enumerate(zip(passages, vectors, strict=True))
        ],
    )


def _passage(row: Sequence[Any]) -> Passage:
    _, document, number, text, start, end, headings, title, metadata = row
    return Passage(
        id=f"{document}#{number}",
        document_id=document,
        title=title,
        text=text,
        start=start,
        end=end,
        headings=tuple(json.loads(headings)),
        metadata=json.loads(metadata),
    )
