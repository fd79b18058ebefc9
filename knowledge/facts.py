"""Facts from a project's tables: objects of a type, for actions and templates to query."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from knowledge.encoding import decode
from knowledge.errors import InputError
from knowledge.tables import csv_reader

FACTS = "facts"
Object = dict[str, Any]


def load_facts(folder: Path) -> dict[str, list[Object]]:
    """The objects of each type below `folder`; none where there is no such folder.

    `hotels.csv` (or `.tsv`, `.jsonl`, a list in `.json`) holds objects of the type `hotels`, a
    row each; a mapping in `.json` holds lists of objects by their type, as Rasa's knowledge
    base has them. All objects of a type have the same attributes, None where one is missing;
    `id` is the row's number from 0 and `name` the first attribute's value where a table has
    none. Values of CSV files are text.

    Raises:
        InputError: a table cannot be read; names the file and the line.
    """
    found: dict[str, list[Object]] = {}
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        reader = _READERS.get(path.suffix.lower())
        if reader is None or path.name.startswith("."):
            continue
        for kind, rows in reader(path).items():
            if kind in found:
                raise InputError(f"there is another table of {kind!r}", path=path)
            found[kind] = _completed(rows)
    return found


def _completed(rows: list[Object]) -> list[Object]:
    """The rows with the attributes of all of them, an id and a name."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    completed = []
    for number, row in enumerate(rows):
        whole = {name: row.get(name) for name in names}
        whole.setdefault("id", number)
        whole.setdefault("name", next(iter(row.values()), number))
        completed.append(whole)
    return completed


def _csv(path: Path) -> dict[str, list[Object]]:
    reader = csv_reader(_text(path))
    try:
        header = [name.strip() for name in next(reader, [])]
        if not any(header) or len(set(header)) < len(header):
            raise InputError("its first line must name each column once", path=path, line=1)
        rows: list[Object] = []
        for fields in reader:
            if len(fields) > len(header):
                message = f"has {len(fields)} fields, the first line {len(header)}"
                raise InputError(message, path=path, line=reader.line_num)
            if any(field.strip() for field in fields):
                values = (field.strip() for field in fields)
                rows.append(dict(zip(header, values, strict=False)))
    except csv.Error as error:
        raise InputError(f"no CSV ({error})", path=path, line=reader.line_num) from error
    return {path.stem: rows}


def _json_lines(path: Path) -> dict[str, list[Object]]:
    rows = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            rows.append(_object(_parsed(line, path, number), path, number))
    return {path.stem: rows}


def _json(path: Path) -> dict[str, list[Object]]:
    data = _parsed(_text(path), path, None)
    tables = data if isinstance(data, Mapping) else {path.stem: data}
    return {str(kind): list(_objects(rows, path, str(kind))) for kind, rows in tables.items()}


def _objects(rows: Any, path: Path, kind: str) -> Iterator[Object]:
    if not isinstance(rows, list):
        raise InputError("must be a list of objects", path=path, key=kind)
    for row in rows:
        yield _object(row, path, None)


def _object(row: Any, path: Path, line: int | None) -> Object:
    if not isinstance(row, Mapping):
        raise InputError(f"expected an object, got {str(row)[:60]!r}", path=path, line=line)
    return {str(name): value for name, value in row.items()}


def _parsed(text: str, path: Path, line: int | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not valid JSON ({error})", path=path, line=line) from error


def _text(path: Path) -> str:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", path=path) from error
    except InputError as error:
        raise InputError(error.message, path=path) from error


_READERS = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
}
