"""Documents, passages and scored passages: what the knowledge room hands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Document:
    """One source text as it was loaded.

    `id` is the path below the knowledge folder (POSIX separators), stable across machines,
    followed by `#` and a part's name where a file holds many documents; `text` is the whole
    text whose offsets passages use, of a file that is no text what was made of it; `metadata`
    holds front matter (such as `url`, `tags`, `updated`) and the `language` as strings;
    `markup` is `markdown` or `text`; what is to be found begins at `body_start`, after the
    front matter. With a `question` the document is a pair: the question is what is searched
    by meaning, the text its answer, which stays whole.
    """

    id: str
    title: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    markup: str = "text"
    body_start: int = 0
    question: str = ""


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
    question: str = ""

    @property
    def heading_line(self) -> str:
        """Title and headings as one line, each name once; it is indexed with the text."""
        names = dict.fromkeys((self.title, *self.headings))
        return " > ".join(name for name in names if name)

    @property
    def encoded_text(self) -> str:
        """What the vector stands for: the question of a pair, else headings and text."""
        return self.question or self.searched_text

    @property
    def searched_text(self) -> str:
        """What is looked up by its words: the headings or the question, then the text."""
        names = dict.fromkeys((self.heading_line, self.question, self.text))
        return "\n".join(name for name in names if name)


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage with its relevance; higher is better, the scale is the retriever's.

    `dense` and `lexical` are what the score was made of, each in [0, 1], where it is known;
    `confidence` in [0, 1] is how sure it is that the best of the passages found with this one
    answers the question.
    """

    passage: Passage
    score: float
    dense: float | None = None
    lexical: float | None = None
    confidence: float | None = None
