"""Documents, passages and scored passages: what the knowledge room hands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Document:
    """One source text as it was loaded.

    `id` is the path below the knowledge folder (POSIX separators), stable across machines;
    `text` is the whole text whose offsets passages use; `metadata` holds front matter
    (such as `url`, `tags`, `updated`) as strings; `markup` is `markdown` or `text`;
    what is to be found begins at `body_start`, after the front matter.
    """

    id: str
    title: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    markup: str = "text"
    body_start: int = 0


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

    @property
    def heading_line(self) -> str:
        """Title and headings as one line, each name once; it is indexed with the text."""
        names = dict.fromkeys((self.title, *self.headings))
        return " > ".join(name for name in names if name)


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage with its relevance; higher is better, the scale is the retriever's.

    `dense` and `lexical` are what the score was made of, each in [0, 1], where it is known.
    """

    passage: Passage
    score: float
    dense: float | None = None
    lexical: float | None = None
