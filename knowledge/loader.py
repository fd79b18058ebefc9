"""Files into documents by their kind; what cannot be read is reported, the rest go on."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from knowledge.encoding import decode
from knowledge.errors import InputError
from knowledge.language import detect
from knowledge.passage import Document

MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = frozenset({".txt", ".text"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})
MAX_BYTES = 64 * 1024 * 1024
FRONT_MATTER = re.compile(r"\s*?---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.S | re.M)
FIRST_HEADING = re.compile(r"^[ ]{0,3}#[ \t]+(.+?)[ \t#]*$", re.M)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a line of one, that is not in the collection, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The documents of one file; `skipped` are its rows (by line) that make none."""

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...] = ()


def knowledge_files(folder: Path) -> Iterator[Path]:
    """Every file below `folder` in a fixed order, hidden ones left out."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in parts):
            yield path


def file_name(path: Path, folder: Path) -> str:
    """The path below the knowledge folder, with forward slashes."""
    return path.relative_to(folder).as_posix()


def load_file(path: Path, name: str) -> Loaded:
    """Reads one file into documents whose ids begin with `name`.

    Markdown, text, HTML and DOCX files are one document, a PDF one a page, and a CSV or JSON
    lines file one a row.

    Raises:
        InputError: unknown kind, too large, unreadable, damaged, binary, or without any text.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"files of the kind {path.suffix or 'without suffix'!r} are not read")
    loaded = reader(_read(path), name)
    if not loaded.documents:
        first = loaded.skipped[0] if loaded.skipped else None
        raise InputError(f"line {first.path}: {first.reason}" if first else "holds no text")
    documents = (_with_link(_with_language(one)) for one in loaded.documents)
    return replace(loaded, documents=tuple(documents))


def _markdown(data: bytes, name: str) -> Loaded:
    text = decode(data)
    metadata, body_start = _front_matter(text)
    return _one(name, text, "markdown", metadata, body_start)


def _text(data: bytes, name: str) -> Loaded:
    return _one(name, decode(data), "text", {}, 0)


def _html(data: bytes, name: str) -> Loaded:
    from knowledge import rich_files  # the parsers are loaded for files that need them

    text, metadata = rich_files.html_to_markdown(data)
    return _one(name, text, "markdown", metadata, 0)


def _docx(data: bytes, name: str) -> Loaded:
    from knowledge import rich_files

    return _one(name, rich_files.docx_to_markdown(data), "markdown", {}, 0)


def _pdf(data: bytes, name: str) -> Loaded:
    from knowledge import rich_files

    pages, metadata = rich_files.pdf_pages(data)
    title = metadata.pop("title", "") or _title_of(name)
    documents = tuple(
        Document(
            id=f"{name}#page={number}",
            title=f"{title} (page {number})" if len(pages) > 1 else title,
            text=text,
            metadata={**metadata, "page": str(number)},
        )
        for number, text in enumerate(pages, 1)
        if text.strip()
    )
    if not documents:
        raise InputError("holds no text (pictures of pages are not read)")
    return Loaded(documents)


def _table(data: bytes, name: str) -> Loaded:
    from knowledge.tables import read_table

    documents, skipped = read_table(decode(data), name)
    return Loaded(tuple(documents), tuple(Skipped(str(line), reason) for line, reason in skipped))


_READERS: dict[str, Callable[[bytes, str], Loaded]] = {
    **dict.fromkeys(MARKDOWN_SUFFIXES, _markdown),
    **dict.fromkeys(TEXT_SUFFIXES, _text),
    **dict.fromkeys(TABLE_SUFFIXES, _table),
    ".html": _html,
    ".htm": _html,
    ".docx": _docx,
    ".pdf": _pdf,
}


def _one(name: str, text: str, markup: str, metadata: Mapping[str, str], body_start: int) -> Loaded:
    if not text[body_start:].strip():
        return Loaded(())
    document = Document(
        id=name,
        title=_title(name, text, body_start, markup, metadata),
        text=text,
        metadata={key: value for key, value in metadata.items() if key != "title"},
        markup=markup,
        body_start=body_start,
    )
    return Loaded((document,))


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"is larger than {MAX_BYTES >> 20} MB ({size >> 20} MB); split it")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})") from error


def _with_language(document: Document) -> Document:
    """The document with its language, unless its author named one."""
    if "language" in document.metadata:
        return document
    named = document.metadata.get("lang")
    language = named or detect(f"{document.question}\n{document.text[document.body_start :]}")
    metadata = {**document.metadata, "language": language} if language else document.metadata
    return replace(document, metadata=metadata)


def _with_link(document: Document) -> Document:
    """The document with its address as `url`, also where its author called it `link`."""
    link = document.metadata.get("link")
    if not link or "url" in document.metadata:
        return document
    return replace(document, metadata={**document.metadata, "url": link})


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """The metadata between `---` lines at the start, and where the body begins."""
    match = FRONT_MATTER.match(text)
    if match is None:
        return {}, 0
    try:
        data = YAML(typ="safe", pure=True).load(StringIO(match[1]))
    except YAMLError as error:
        line = str(error).splitlines()[0]
        raise InputError(f"its front matter is not valid YAML ({line})") from error
    if data is not None and not isinstance(data, Mapping):
        return {}, 0  # a text that opens with a ruled line
    return {str(key): _as_text(value) for key, value in (data or {}).items()}, match.end()


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_as_text(item) for item in value)
    return "" if value is None else str(value)


def _title(name: str, text: str, start: int, markup: str, metadata: Mapping[str, str]) -> str:
    if metadata.get("title"):
        return metadata["title"]
    heading = FIRST_HEADING.search(text, start) if markup == "markdown" else None
    return heading[1].strip() if heading else _title_of(name)


def _title_of(name: str) -> str:
    stem = Path(name).stem
    words = re.sub(r"[-_]+", " ", stem).strip() or stem
    return words[:1].upper() + words[1:]
