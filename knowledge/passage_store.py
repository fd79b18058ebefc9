"""Documents, passages and their vectors in one SQLite file: the truth of a collection."""

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
from knowledge.passage import Passage
from knowledge.passage_rows import (
    COLUMNS,
    SCHEMA,
    Entry,
    FileFacts,
    Vectors,
    connect,
    insert,
    note_files,
    number_of,
    passage_of,
    vectors_of,
)

# So many texts or vectors are read at a time.
PIECE_ROWS = 8192
LAST_KEY = 2**62

Ids = npt.NDArray[np.int64]


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
            self._connection = connect(path, writable=writable)
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
        """Every file that is indexed, by its path, with what it was like."""
        rows = self._rows("SELECT path, sha256, size, mtime_ns FROM files")
        return {name: FileFacts(*facts) for name, *facts in rows}

    def documents_of(self, file: str) -> dict[str, str]:
        """The documents of a file with their digests."""
        return dict(self._rows("SELECT id, sha256 FROM documents WHERE file = ?", [file]))

    def digests(self, document_ids: Sequence[str]) -> dict[str, str]:
        """The digests of those of the documents that there are."""
        marks = ",".join("?" * len(document_ids))
        sql = f"SELECT id, sha256 FROM documents WHERE id IN ({marks})"  # noqa: S608
        return dict(self._rows(sql, document_ids))

    def counts(self) -> tuple[int, int]:
        """Numbers of documents and of passages."""
        (documents,) = self._rows("SELECT count(*) FROM documents")[0]
        (passages,) = self._rows("SELECT count(*) FROM passages")[0]
        return int(documents), int(passages)

    def passages(self, keys: Sequence[int]) -> dict[int, Passage]:
        """The passages under those keys that there are."""
        marks = ",".join("?" * len(keys))
        return {
            row[0]: passage_of(row)
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

    def keys_of(self, document_ids: Sequence[str]) -> dict[str, int]:
        """The keys of the first passages of those of the documents that there are."""
        marks = ",".join("?" * len(document_ids))
        sql = f"SELECT document, min(key) FROM passages WHERE document IN ({marks}) GROUP BY 1"  # noqa: S608
        return dict(self._rows(sql, document_ids))

    def numbers_of(self, name: str, keys: Ids) -> dict[int, float]:
        """What passages' documents have as a number under a name, where that is one."""
        path = '$."' + name.replace('"', "") + '"'
        rows = self._rows(
            "SELECT p.key, json_extract(d.metadata, ?) FROM passages p "
            "JOIN documents d ON d.id = p.document",
            [path],
        )
        wanted = set(keys.tolist())
        found = ((key, number_of(value)) for key, value in rows if key in wanted)
        return {key: number for key, number in found if number is not None}

    def all_documents(self) -> list[str]:
        """The ids of all documents."""
        return [name for (name,) in self._rows("SELECT id FROM documents")]

    def keys_where(self, metadata: Mapping[str, str]) -> Ids:
        """Keys of the passages whose documents have all these metadata, ascending.

        A value matches as a whole or as one of several that commas separate.
        """
        wanted, values = [], []
        for name, value in metadata.items():
            # Quotes inside a name would end the path early; no key that we write has one.
            path = '$."' + name.replace('"', "") + '"'
            wanted.append("instr(', ' || json_extract(d.metadata, ?) || ', ', ?) > 0")
            values += [path, f", {value}, "]
        rows = self._rows(
            "SELECT p.key FROM passages p JOIN documents d ON d.id = p.document "  # noqa: S608
            f"WHERE {' AND '.join(wanted) or '1'} ORDER BY p.key",
            values,
        )
        return np.fromiter((key for (key,) in rows), dtype=np.int64, count=len(rows))

    def vectors(self, keys: Sequence[int]) -> tuple[list[int], Vectors]:
        """Those of the keys that there are, and their vectors, float32 (n, dimensions)."""
        marks = ",".join("?" * len(keys))
        sql = f"SELECT key, vector FROM passages WHERE key IN ({marks})"  # noqa: S608
        rows = self._rows(sql, keys)
        return [key for key, _ in rows], vectors_of([vector for _, vector in rows])

    def texts_since(self, generation: int) -> Iterator[tuple[int, str]]:
        """Key and searched text of each passage added after `generation`."""
        sql = (
            f"SELECT {COLUMNS}, p.generation "  # noqa: S608
            "FROM passages p JOIN documents d ON d.id = p.document "
            "WHERE (p.generation, p.key) > (?, ?) ORDER BY p.generation, p.key LIMIT ?"
        )
        last = (generation, LAST_KEY)
        # In pieces, since a million texts at once are gigabytes.
        while rows := self._rows(sql, [*last, PIECE_ROWS]):
            last = (rows[-1][-1], rows[-1][0])
            for row in rows:
                yield row[0], passage_of(row[:-1]).searched_text

    def changes_since(self, generation: int, dimensions: int) -> Changes:
        """What was added and removed after `generation`, all read from one state."""
        with self._reading():
            removed = self.removed_since(generation)
            blocks = list(self._vector_blocks(generation))
            now = self.generation()
        keys = [block_keys for block_keys, _ in blocks]
        vectors = [block for _, block in blocks]
        return Changes(
            now,
            tuple(removed),
            np.concatenate(keys) if keys else np.zeros(0, dtype=np.int64),
            np.concatenate(vectors) if vectors else np.zeros((0, dimensions), dtype=np.float32),
        )

    def vector_blocks(self, generation: int = 0) -> Iterator[tuple[Ids, Vectors]]:
        """Keys, ascending, and vectors added after `generation`, some thousands at a time."""
        yield from self._vector_blocks(generation)

    def _vector_blocks(self, generation: int) -> Iterator[tuple[Ids, Vectors]]:
        # Keys grow with the generations, so both orders are one, and this one has an index.
        sql = (
            "SELECT key, vector, generation FROM passages "
            "WHERE (generation, key) > (?, ?) ORDER BY generation, key LIMIT ?"
        )
        last = (generation, LAST_KEY)
        while rows := self._rows(sql, [*last, PIECE_ROWS]):
            last = (rows[-1][2], rows[-1][0])
            keys = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
            yield keys, vectors_of([row[1] for row in rows])

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

    def copy_to(self, path: Path) -> None:
        """Writes the whole store to a new file, as it is now."""
        temporary = path.with_name(path.name + ".partial")
        with self._lock, self._explained():
            temporary.unlink(missing_ok=True)
            self._connection.execute("VACUUM INTO ?", [str(temporary)])
        temporary.replace(path)

    def touch(self, files: Mapping[str, FileFacts]) -> None:
        """Notes what files are like whose documents did not change."""
        with self._transaction() as connection:
            note_files(connection, files)

    def write(
        self,
        added: Sequence[Entry],
        removed: Iterable[str] = (),
        files: Mapping[str, FileFacts | None] | None = None,
    ) -> int:
        """Puts documents with their passages in place of the old ones, and takes others out.

        `files` are those that are now indexed whole, or (None) that went. Returns the new
        generation.
        """
        with self._transaction() as connection:
            generation = self.generation() + 1
            names = [*removed, *(entry.document.id for entry in added)]
            connection.executemany(
                "INSERT INTO removed SELECT key, ? FROM passages WHERE document = ?",
                [(generation, name) for name in names],
            )
            gone = [(name,) for name in names]
            connection.executemany("DELETE FROM passages WHERE document = ?", gone)
            connection.executemany("DELETE FROM documents WHERE id = ?", gone)
            for entry in added:
                insert(connection, entry, generation)
            note_files(connection, files or {})
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
                # A full disk has rolled back already.
                if self._connection.in_transaction:
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
