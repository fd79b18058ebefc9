"""BM25 over passages with tantivy, updated in place."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import tantivy

from knowledge.errors import AgentError
from knowledge.sentences import UNSPACED_SCRIPTS
from knowledge.stop_words import stop_words, without_question_phrases

# Goes into an index's manifest: an index with other terms is made again.
ANALYZER_VERSION = 2
TERMS, KEY, GENERATION = "terms", "key", "generation"
# The one entry that is no passage: it says which state of the collection is indexed.
STATE_KEY = 0
WRITER_BYTES = 30_000_000
# A query of 100 kB asks for its first different words only.
MAX_QUERY_TERMS = 64
MAX_TERM_BYTES = 64
# Marks upon letters are no letters to Python, and Hindi's vowels are such marks.
MARKS = "".join(chr(n) for n in range(0x300, 0x1800) if unicodedata.category(chr(n))[0] == "M")
WORD = re.compile(rf"(?:[^\W_]|[{MARKS}])+")
# Of unspaced scripts, those that spell a syllable with several characters.
SPELLED_SCRIPTS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")


class LexicalIndex:
    """Passages by their words. Keys are the collection's passage numbers, from 1."""

    def __init__(self, folder: Path) -> None:
        """Opens the index in `folder`, or makes an empty one.

        Raises:
            AgentError: what stands there is damaged or cannot be written.
        """
        self._analyzer = _analyzer()
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._index = tantivy.Index(_schema(), path=str(folder))
            self._index.register_tokenizer("passages", self._analyzer)
        except (OSError, ValueError) as error:
            raise AgentError(f"{folder}: the word index cannot be opened ({error})") from error
        self._searcher = self._index.searcher()

    def __len__(self) -> int:
        return max(0, int(self._searcher.num_docs) - self._has_state())

    @property
    def generation(self) -> int:
        """The collection's state that was written last; 0 for an empty index."""
        hits = self._searcher.search(self._key_query(STATE_KEY), 1).hits
        return int(self._searcher.doc(hits[0][1])[GENERATION][0]) if hits else 0

    def update(
        self, added: Iterable[tuple[int, str]], removed: Iterable[int], *, generation: int
    ) -> None:
        """Writes texts under their keys and takes keys out, in one commit.

        Raises:
            AgentError: the index cannot be written; what was committed before stays.
        """
        try:
            self._update(added, removed, generation)
        except (OSError, ValueError) as error:
            raise AgentError(
                f"{self._folder}: the word index cannot be written ({error})"
            ) from error
        self.refresh()

    def _update(
        self, added: Iterable[tuple[int, str]], removed: Iterable[int], generation: int
    ) -> None:
        # Nothing can be replaced in an empty index, and a million look-ups take their time.
        replacing = self._searcher.num_docs > 0
        writer = self._index.writer(WRITER_BYTES, 1)
        for key in removed:
            writer.delete_documents_by_query(self._key_query(key))
        for key, text in added:
            if replacing:
                writer.delete_documents_by_query(self._key_query(key))
            document = tantivy.Document()
            document.add_unsigned(KEY, key)
            document.add_text(TERMS, prepare(text))
            writer.add_document(document)
        writer.delete_documents_by_query(self._key_query(STATE_KEY))
        state = tantivy.Document()
        state.add_unsigned(KEY, STATE_KEY)
        state.add_unsigned(GENERATION, generation)
        writer.add_document(state)
        writer.commit()
        writer.wait_merging_threads()

    def refresh(self) -> None:
        """Sees what was committed since, by this process or another."""
        self._index.reload()
        self._searcher = self._index.searcher()

    def search(self, query: str, limit: int) -> list[tuple[int, float]]:
        """The best passages with their BM25 scores (above 0, unbounded), best first."""
        return self.search_terms(self.query_terms(query), limit)

    def search_terms(
        self, terms: Sequence[str], limit: int, *, only: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """As `search`, for terms that `query_terms` gave; with `only`, among these keys."""
        if not terms or limit <= 0:
            return []
        should = tantivy.Occur.Should
        schema = self._index.schema
        clauses = [(should, tantivy.Query.term_query(schema, TERMS, term)) for term in terms]
        query = tantivy.Query.boolean_query(clauses)
        if only is not None:
            among = tantivy.Query.term_set_query(schema, KEY, list(only))
            kept = tantivy.Query.const_score_query(among, 0.0)
            must = tantivy.Occur.Must
            query = tantivy.Query.boolean_query([(must, query), (must, kept)])
        hits = self._searcher.search(query, limit, count=False).hits
        keys = self._searcher.fast_field_values(KEY, [address for _, address in hits])
        return [(int(key or 0), float(score)) for key, (score, _) in zip(keys, hits, strict=True)]

    def query_terms(self, query: str) -> list[str]:
        """The different index terms of a question, words without meaning left out.

        When nothing else is left they are kept: "who are you" asks for them.
        """
        short = query[: MAX_QUERY_TERMS * 64]
        words = prepare(without_question_phrases(short)).split()
        dropped = stop_words(words)
        meaningful = [word for word in words if word not in dropped and not _is_leftover(word)]
        terms = self._different(meaningful) or self._different(prepare(short).split())
        return terms[:MAX_QUERY_TERMS]

    def frequency(self, term: str) -> int:
        """In how many passages an index term occurs."""
        return int(self._searcher.doc_freq(TERMS, term))

    def terms(self, text: str) -> list[str]:
        """The index terms of a text, in order, with repeats."""
        return list(self._analyzer.analyze(prepare(text)))

    def _different(self, words: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(self._analyzer.analyze(" ".join(words))))

    def _has_state(self) -> int:
        return len(self._searcher.search(self._key_query(STATE_KEY), 1).hits)

    def _key_query(self, key: int) -> tantivy.Query:
        return tantivy.Query.term_query(self._index.schema, KEY, key)


def prepare(text: str) -> str:
    """Folds width and case, puts spaces around words, and cuts unspaced scripts into pieces.

    Chinese, Japanese and Thai write no spaces: overlapping pairs of characters stand for
    words there, or threes where a syllable takes several.

    >>> prepare("Visa-Karte 信用卡")
    'visa karte 信用 用卡'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = UNSPACED_SCRIPTS.sub(lambda run: f" {_pieces(run[0])} ", folded)
    return " ".join(WORD.findall(folded))


def _pieces(run: str) -> str:
    size = 3 if SPELLED_SCRIPTS.match(run) else 2
    return " ".join(run[i : i + size] for i in range(len(run) - size + 1)) or run


def _is_leftover(word: str) -> bool:
    """Whether it is a single character that is no word: what stands between two phrases."""
    return len(word) == 1 and bool(UNSPACED_SCRIPTS.match(word))


def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    builder = builder.filter(tantivy.Filter.remove_long(MAX_TERM_BYTES))
    builder = builder.filter(tantivy.Filter.ascii_fold())
    return builder.filter(tantivy.Filter.stemmer("english")).build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(TERMS, stored=False, tokenizer_name="passages", index_option="freq")
    builder.add_unsigned_field(KEY, stored=False, indexed=True, fast=True)
    builder.add_unsigned_field(GENERATION, stored=True, indexed=False)
    return builder.build()
