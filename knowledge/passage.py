"""Documents, passages and scored passages: what the knowledge room hands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Document:
    """One source text as it was loaded.

    `id` is the path below the knowledge folder (POSIX separators), stable across machines;
    `text` is the whole text whose offsets passages use; `metadata` holds front matter
    (such as `url`, `tags`, `updated`) as strings.
    """

    id: str
    title: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `document.text[start:end]` is its text (characters, end exclusive)."""

    id: str
    document_id: str
    title: str
    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage with its relevance; higher is better, the scale is the retriever's."""

    passage: Passage
    score: float
