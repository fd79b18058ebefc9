"""Files into documents; a file that cannot be read is reported, the rest go on."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import charset_normalizer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from knowledge.errors import InputError
from knowledge.passage import Document

MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = frozenset({".txt", ".text"})
SUFFIXES = MARKDOWN_SUFFIXES | TEXT_SUFFIXES
MAX_BYTES = 64 * 1024 * 1024
FRONT_MATTER = re.compile(r"\s*?---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.S | re.M)
FIRST_HEADING = re.compile(r"^[ ]{0,3}#[ \t]+(.+?)[ \t#]*$", re.M)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not in the collection, and why."""

    path: str
    reason: str


def knowledge_files(folder: Path) -> Iterator[Path]:
    """Every file below `folder` in a fixed order, hidden ones left out."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in parts):
            yield path


def document_id(path: Path, folder: Path) -> str:
    """The path below the knowledge folder, with forward slashes."""
    return path.relative_to(folder).as_posix()


def is_readable_kind(path: Path) -> bool:
    """Whether the file's suffix is one that we load."""
    return path.suffix.lower() in SUFFIXES


def load_file(path: Path, folder: Path) -> Document:
    """Reads one Markdown or text file below `folder`.

    Raises:
        InputError: unknown kind, too large, unreadable, binary, or without any text.
    """
    if not is_readable_kind(path):
        raise InputError(f"files of the kind {path.suffix or 'without suffix'!r} are not read")
    text = decode(_read(path))
    markup = "markdown" if path.suffix.lower() in MARKDOWN_SUFFIXES else "text"
    metadata, body_start = _front_matter(text) if markup == "markdown" else ({}, 0)
    if not text[body_start:].strip():
        raise InputError("holds no text")
    return Document(
        id=document_id(path, folder),
        title=_title(path, text, body_start, markup, metadata),
        text=text,
        metadata={key: value for key, value in metadata.items() if key != "title"},
        markup=markup,
        body_start=body_start,
    )


def decode(data: bytes) -> str:
    """Bytes as text: UTF-8, UTF-16 by its mark, else the likeliest encoding.

    Raises:
        InputError: these bytes are no text.
    """
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\0" in data[:8192]:
        raise InputError("is binary, not text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # A sample is enough to tell the encoding, and keeps large files quick.
        best = charset_normalizer.from_bytes(data[: 64 * 1024]).best()
    if best is None:
        raise InputError("is neither UTF-8 nor any other encoding that is known")
    return _decoded(data, best.encoding)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"is not valid {encoding} ({error})") from error


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"is larger than {MAX_BYTES >> 20} MB ({size >> 20} MB); split it")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})") from error


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


def _title(path: Path, text: str, start: int, markup: str, metadata: Mapping[str, str]) -> str:
    if metadata.get("title"):
        return metadata["title"]
    heading = FIRST_HEADING.search(text, start) if markup == "markdown" else None
    if heading:
        return heading[1].strip()
    words = re.sub(r"[-_]+", " ", path.stem).strip() or path.stem
    return words[:1].upper() + words[1:]
