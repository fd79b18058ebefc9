"""Reads retrieval benchmarks: corpus and queries as JSON lines, judgements as TSV."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from knowledge.errors import InputError
from knowledge.passage import Document

COLUMNS = 3


def read_corpus(path: Path) -> Iterator[Document]:
    """Documents of a JSON-lines file with `id` (or `_id`, as BEIR has it), `text`, perhaps `title`.

    Raises:
        InputError: unreadable, a broken line, a missing or repeated id; names file and line.
    """
    for row in _rows(path):
        title, text = row.get("title") or "", row.get("text") or ""
        # A document without any text stays out of the index, as one that is never found.
        if str(text).strip() or str(title).strip():
            yield Document(id=str(row["id"]), title=str(title), text=str(text) or str(title))


def read_queries(path: Path, split: str | None = None) -> dict[str, str]:
    """Query texts by id; with `split`, those whose field `split` is that.

    Raises:
        InputError: as `read_corpus`, or no query has that split.
    """
    queries, splits = {}, set()
    for row in _rows(path):
        splits.add(str(row.get("split")))
        if split is None or row.get("split") == split:
            queries[str(row["id"])] = str(row.get("text") or "")
    if not queries:
        known = ", ".join(sorted(splits)) or "none"
        raise InputError(f"no queries with the split {split!r}; splits there: {known}", path=path)
    return queries


def read_qrels(path: Path) -> dict[str, dict[str, float]]:
    """Judgements by query and document: lines of query id, document id and grade, by tabs.

    A first line with a header is passed over. TREC's four columns are read, too: query, a
    number that says nothing, document, grade, by white space.

    Raises:
        InputError: unreadable, or a line that has not these fields or no number.
    """
    judgements: dict[str, dict[str, float]] = {}
    with _opened(path) as file:
        for number, line in enumerate(_lines(file, path), 1):
            if not line.strip():
                continue
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) != COLUMNS and len(line.split()) == COLUMNS + 1:
                fields = [field for place, field in enumerate(line.split()) if place != 1]
            try:
                query, document, grade = fields
                judgements.setdefault(query, {})[document] = float(grade)
            except ValueError as error:
                if number == 1:
                    continue
                raise InputError(
                    "expected query-id, doc-id and a number, separated by tabs",
                    path=path,
                    line=number,
                ) from error
    if not judgements:
        raise InputError("holds no judgements", path=path)
    return judgements


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    with _opened(path) as file:
        for number, line in enumerate(_lines(file, path), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(f"not valid JSON ({error})", path=path, line=number) from error
            name = row.get("id", row.get("_id")) if isinstance(row, dict) else None
            if name in (None, ""):
                raise InputError("expected an object with an id", path=path, line=number)
            if str(name) in seen:
                raise InputError("this id was there before", path=path, line=number, key=str(name))
            seen.add(str(name))
            yield row | {"id": name}
    if not seen:
        raise InputError("is empty", path=path)


def _opened(path: Path) -> TextIO:
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8-sig")
        return path.open(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", path=path) from error


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    try:
        yield from file
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read to its end ({error})", path=path) from error
