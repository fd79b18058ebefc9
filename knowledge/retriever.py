"""A question to scored passages: dense and lexical fused, and a floor."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from knowledge.collection import current_folder, generation_folders
from knowledge.encoder import Encoder, Vectors
from knowledge.errors import AgentError
from knowledge.open_index import OpenIndex
from knowledge.passage import ScoredPassage
from knowledge.sentences import UNSPACED_SCRIPTS

Mode = Literal["dense", "lexical", "hybrid"]

# Share of the dense score in a hybrid one. nDCG@10 on dev for 0.4, 0.5, 0.6: SciFact's train
# claims 0.748, 0.743, 0.737; XQuAD's English questions 0.984, 0.984, 0.982. Reciprocal rank
# fusion was 2 and 1 points worse. The share shrinks with the square of what the encoder can
# read of a question: XQuAD's Chinese ones with an English encoder have 0.96 so, 0.78 without.
DENSE_WEIGHT = 0.5
# XQuAD's English questions over all articles and again with the question's article taken out:
# AUROC 0.991; from this score on 97 % are answered, and 8 % of the unanswerable (precision 0.92).
# The Chinese ones: 0.981, 77 % and 1 %.
DEFAULT_FLOOR = 0.28
# How many passages each side proposes for fusing.
DEPTH = 100
RETRIES = 5
# BM25's largest share of a term, (k1 + 1) with tantivy's k1 = 1.2: a score's upper bound is
# this times the sum of the terms' inverse document frequencies.
SATURATION = 2.2


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage's number in the index with its scores, each in [0, 1]."""

    key: int
    score: float
    dense: float
    lexical: float


class Retriever:
    """Searches one index folder, and follows it when it changes.

    Scores are in [0, 1], higher is better: half the cosine above that of unrelated texts, half
    the BM25 score as a share of the most that the question's words could reach. What the
    encoder cannot read of a question lowers the first half's share. Safe to use from several
    threads.
    """

    def __init__(
        self,
        folder: Path,
        *,
        encoder: Encoder | None = None,
        floor: float | None = None,
        threads: int = 1,
    ) -> None:
        """Opens the index; `encoder` is loaded by the name in the index when it is not given.

        Raises:
            AgentError: no index there, a damaged one, or one of another encoder.
        """
        self.folder = folder
        self.floor = DEFAULT_FLOOR if floor is None else floor
        self._lock, self._threads = threading.RLock(), threads
        self._index, self.notice = _open_newest(folder, encoder, threads)

    @property
    def encoder(self) -> Encoder:
        """The encoder of the index that is open."""
        return self._index.encoder

    def search(self, query: str, *, limit: int = 5) -> list[ScoredPassage]:
        """The passages that answer a question, best first; none below the floor."""
        found = self.search_all(query, limit=limit)
        return [scored for scored in found if scored.score >= self.floor]

    def search_all(
        self, query: str, *, limit: int = 5, mode: Mode = "hybrid"
    ) -> list[ScoredPassage]:
        """The nearest passages whatever their score, best first; repeated texts once."""
        for _ in range(RETRIES):
            hits = self.rank(query, limit=2 * limit + 8, mode=mode)
            with self._lock:
                passages = self._index.store.passages([hit.key for hit in hits])
            # Another process may have taken a passage out since it was found.
            if len(passages) == len(hits):
                break
        found: dict[str, ScoredPassage] = {}
        for hit in hits:
            if hit.key in passages:
                scored = ScoredPassage(passages[hit.key], hit.score, hit.dense, hit.lexical)
                found.setdefault(scored.passage.text, scored)
        return list(found.values())[:limit]

    def rank(self, query: str, *, limit: int, mode: Mode = "hybrid") -> list[Hit]:
        """The best passages by number, best first."""
        if not query.strip() or limit <= 0:
            return []
        # The slow part goes on beside other threads' searches.
        encoder = self.encoder
        vector = encoder.encode_queries([] if mode == "lexical" else [query])  # (1, D)
        readable = 1.0 - encoder.unknown_share(query)
        with self._lock:
            self.refresh()
            if self.encoder is not encoder:
                return self.rank(query, limit=limit, mode=mode)
            depth = max(limit, DEPTH)
            lexical = {} if mode == "dense" else _lexical(self._index, query, depth)
            dense = {} if mode == "lexical" else _dense(self._index, vector, depth, lexical)
        weight = {"dense": 1.0, "lexical": 0.0, "hybrid": DENSE_WEIGHT * readable**2}[mode]
        hits = []
        for key in lexical if mode == "lexical" else dense:
            near, words = dense.get(key, 0.0), lexical.get(key, 0.0)
            hits.append(Hit(key, weight * near + (1 - weight) * words, near, words))
        return sorted(hits, key=lambda hit: (-hit.score, hit.key))[:limit]

    def documents(self, keys: Sequence[int]) -> list[str]:
        """The document ids of passages by number, in their order; those that went are left out."""
        with self._lock:
            found = self._index.store.document_ids(keys)
        return [found[key] for key in keys if key in found]

    def refresh(self) -> None:
        """Takes up what was written to the index since it was last looked at."""
        with self._lock:
            if current_folder(self.folder) in (None, self._index.place):
                self._index.catch_up()
                return
            old = self._index
            self._index, self.notice = _open_newest(self.folder, old.encoder, self._threads)
            old.close()

    def close(self) -> None:
        """Lets the index's files go."""
        self._index.close()


def _open_newest(
    folder: Path, encoder: Encoder | None, threads: int
) -> tuple[OpenIndex, str | None]:
    """The current index; when it is damaged the one before, with a sentence about it."""
    current = current_folder(folder)
    if current is None:
        raise AgentError(f"{folder}: no index here; run `agent knowledge index`")
    try:
        return OpenIndex(current, encoder=encoder, threads=threads), None
    except AgentError as error:
        older = [place for place in generation_folders(folder) if place < current]
        if not older:
            raise
        index = OpenIndex(older[-1], encoder=encoder, threads=threads)
        return index, f"an older index serves, run `agent knowledge index`: {error}"


def _dense(
    index: OpenIndex, vector: Vectors, depth: int, proposed: dict[int, float]
) -> dict[int, float]:
    """Scores by meaning of the nearest passages and of those that their words proposed."""
    scores, ids = index.vectors.search(vector, depth)
    cosines = dict(zip(ids[0].tolist(), scores[0].tolist(), strict=True))
    known, rows = index.vectors.vectors([key for key in proposed if key not in cosines])
    cosines.update(zip(known.tolist(), (rows @ vector[0]).tolist(), strict=True))
    base = index.encoder.spec.unrelated_cosine
    return {key: min(1.0, max(0.0, (c - base) / (1.0 - base))) for key, c in cosines.items()}


def _lexical(index: OpenIndex, query: str, depth: int) -> dict[int, float]:
    """BM25 scores as a share of what the question's words could reach at most."""
    words = index.words
    terms, count = words.query_terms(query), len(words)
    frequencies = {term: words.frequency(term) for term in terms}
    # A pair of characters that occurs nowhere mostly joins two words, and says nothing; a word
    # that occurs nowhere says that something else was asked for.
    bound = SATURATION * sum(
        _idf(frequency, count)
        for term, frequency in frequencies.items()
        if frequency or not UNSPACED_SCRIPTS.match(term)
    )
    hits = dict(words.search_terms(terms, depth)) if bound > 0 else {}
    # The words may lag behind what was just taken out, or be ahead.
    known, _ = index.vectors.vectors(list(hits))
    return {key: min(1.0, hits[key] / bound) for key in known.tolist()}


def open_retriever(
    index_dir: Path,
    *,
    encoder: Encoder | None = None,
    floor: float | None = None,
    threads: int = 1,
) -> Retriever:
    """A retriever over what `Collection` wrote to `index_dir`.

    `floor` in [0, 1] replaces the calibrated one; 0 turns it off.

    Raises:
        AgentError: no index there, a damaged one, or one of another encoder.
    """
    return Retriever(index_dir, encoder=encoder, floor=floor, threads=threads)


def _idf(frequency: int, count: int) -> float:
    """Inverse document frequency as BM25 has it; positive."""
    frequency = min(frequency, count)
    return math.log(1.0 + (count - frequency + 0.5) / (frequency + 0.5))
