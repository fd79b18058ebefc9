"""A collection's file: its tables, and documents, passages and vectors as rows of them."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.passage import Document, Passage

BUSY_TIMEOUT_S = 30.0
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, file TEXT, title TEXT NOT NULL, question TEXT NOT NULL,
    metadata TEXT NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX documents_file ON documents (file);
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
COLUMNS = (
    'p.key, p.document, p.number, p.text, p.start, p."end", p.headings, '
    "d.title, d.metadata, d.question"
)

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What tells whether a file changed: its digest, size in bytes and time in nanoseconds."""

    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as it is stored: with its passages, their vectors and the file it is from.

    `digest` tells whether it changed; `file` is None for a document that comes from no file;
    `vectors` is float32 (passages, dimensions).
    """

    document: Document
    digest: str
    file: str | None
    passages: Sequence[Passage]
    vectors: Vectors


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Opens a collection's file; with `writable` it is made if it is missing, without tables."""
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


def note_files(connection: sqlite3.Connection, files: Mapping[str, FileFacts | None]) -> None:
    """Notes what files are like that are indexed, and (None) those that went."""
    gone = [(name,) for name, facts in files.items() if facts is None]
    connection.executemany("DELETE FROM files WHERE path = ?", gone)
    connection.executemany(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
        [(name, f.sha256, f.size, f.mtime_ns) for name, f in files.items() if f is not None],
    )


def insert(connection: sqlite3.Connection, entry: Entry, generation: int) -> None:
    """Adds a document, its passages and their vectors, as of a generation."""
    document = entry.document
    metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
    connection.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
        (document.id, entry.file, document.title, document.question, metadata, entry.digest),
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
            for number, (passage, vector) in enumerate(
                zip(entry.passages, entry.vectors, strict=True)
            )
        ],
    )


def number_of(value: object) -> float | None:
    """A value of the metadata as a number, None where it is none."""
    try:
        return float(str(value))
    except ValueError:
        return None


def vectors_of(stored: Sequence[bytes]) -> Vectors:
    """Stored vectors as rows of unit length, float32."""
    if not stored:
        return np.zeros((0, 0), dtype=np.float32)
    halves = np.frombuffer(b"".join(stored), dtype=np.float16).reshape(len(stored), -1)
    vectors = halves.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
    return vectors


def passage_of(row: Sequence[Any]) -> Passage:
    """A row of `COLUMNS` as a passage."""
    _, document, number, text, start, end, headings, title, metadata, question = row
    return Passage(
        id=f"{document}#{number}",
        document_id=document,
        title=title,
        text=text,
        start=start,
        end=end,
        headings=tuple(json.loads(headings)),
        metadata=json.loads(metadata),
        question=question,
    )
