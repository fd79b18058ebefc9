"""Tables of questions and answers, or of short texts, as documents: CSV and JSON lines."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from knowledge.encoding import writable
from knowledge.errors import InputError
from knowledge.passage import Document

if TYPE_CHECKING:
    import _csv

DELIMITERS = ",;\t|"
PAIR, TEXT = ("question", "answer"), ("title", "text")
ID_DIGITS = 10
# Python's own bound of 128 kB a field would refuse a long answer.
MAX_FIELD = 16 * 1024 * 1024

Row = tuple[int, Mapping[str, Any]]


def read_table(text: str, name: str) -> tuple[list[Document], list[tuple[int, str]]]:
    """The documents of a table, and the lines that make none, each with the reason.

    A row has the columns `question` and `answer`, or `title` and `text`; an `id` of its own
    or one made of the question or title; every other column is metadata.

    Raises:
        InputError: neither pair of columns is there, or the table cannot be read at all.
    """
    rows = _json_rows(text) if name.lower().endswith(("jsonl", "ndjson")) else _csv_rows(text)
    documents: dict[str, Document] = {}
    skipped: list[tuple[int, str]] = []
    for line, row in rows:
        if isinstance(row, str):
            skipped.append((line, row))
            continue
        document = _document(row, name)
        if isinstance(document, str):
            skipped.append((line, document))
        elif document.id in documents:
            repeated = _as_text(row.get("id")).strip() or document.title
            skipped.append((line, f"{repeated[:80]!r} was there before"))
        else:
            documents[document.id] = document
    return list(documents.values()), skipped


def csv_reader(text: str) -> "_csv.Reader":
    """The rows of a CSV file, by the delimiter that its first line has most of."""
    csv.field_size_limit(MAX_FIELD)
    # The header alone decides: commas inside answers mislead a look at all lines.
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    reader = csv_reader(text)
    try:
        header = [column.strip().casefold() for column in next(reader, [])]
        if not any(set(pair) <= set(header) for pair in (PAIR, TEXT)):
            raise InputError(
                "needs a first line with the columns question and answer, or title and text; "
                f"found: {', '.join(header)[:200] or 'nothing'}"
            )
        for fields in reader:
            line = reader.line_num
            if not any(field.strip() for field in fields):
                continue
            if len(fields) > len(header):
                yield line, f"has {len(fields)} fields, the first line {len(header)}"
            else:
                yield line, dict(zip(header, fields, strict=False))
    except csv.Error as error:
        raise InputError(f"is no readable CSV ({error})", line=reader.line_num) from error


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    # Not splitlines: JSON strings may hold line separators of other kinds.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"not valid JSON ({error})"
            continue
        if isinstance(row, Mapping):
            yield number, {str(key).casefold(): value for key, value in row.items()}
        else:
            yield number, "expected an object"


def _document(row: Mapping[str, Any], name: str) -> Document | str:
    """The document of a row, or what is wrong with it."""
    pair = PAIR if any(key in row for key in PAIR) else TEXT
    asked, said = (_as_text(row.get(key)).strip() for key in pair)
    if not said or (pair is PAIR and not asked):
        return f"has no {pair[1] if asked or pair is TEXT else pair[0]}"
    given = _as_text(row.get("id")).strip()
    key = given or hashlib.sha256((asked or said).encode("utf-8", "replace")).hexdigest()
    title = _as_text(row.get("title")).strip() or asked
    return Document(
        id=f"{name}#{given or key[:ID_DIGITS]}",
        title=title,
        text=said,
        question=asked if pair is PAIR else "",
        metadata={
            column: text
            for column, value in row.items()
            if column not in (*pair, "id", "title", "") and (text := _as_text(value).strip())
        },
    )


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_as_text(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else writable(str(value))
