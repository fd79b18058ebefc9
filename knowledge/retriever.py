"""A question to scored passages: dense and lexical fused, and a floor."""

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from knowledge.collection import current_folder, generation_folders
from knowledge.confidence import Found, confidence, gather
from knowledge.diversity import diverse_order
from knowledge.encoder import Encoder, Vectors
from knowledge.errors import AgentError
from knowledge.open_index import OpenIndex
from knowledge.passage import Passage, ScoredPassage
from knowledge.passage_store import Ids

Mode = Literal["dense", "lexical", "hybrid"]

# Share of the dense score in a hybrid one. nDCG@10 on dev for 0.4, 0.5, 0.6: SciFact's train
# claims 0.740, 0.747, 0.748; XQuAD's English questions 0.982, 0.982, 0.982. Reciprocal rank
# fusion was 2 points and more worse. The share shrinks with the square of what the encoder can
# read of a question, so that the worst loss against the better side was 0.6 points on a quarter
# of XQuAD's questions in twelve languages; with a fixed share it was 38 (Arabic).
DENSE_WEIGHT = 0.5
# Confidence below which a question is declined. Of XQuAD's English questions that fitted nothing
# 89 % are answered rightly; of the answers 97 % are right when what cannot be answered is about
# other articles, 88 % when only the very passage is missing (Chinese: 66 %, 99 % and 95 %). Of the
# bank's questions, which fitted it, 50 %, and 86 % of the answers are right.
DEFAULT_FLOOR = 0.75
# A further passage is shown when its score is this share of the best one's.
KEEP_SHARE = 0.6
DEFAULT_DIVERSITY = 0.2
# How many passages each side proposes for fusing.
DEPTH = 100
RETRIES = 5
# BM25's largest share of a term, (k1 + 1) with tantivy's k1 = 1.2: a score's upper bound is
# this times the sum of the terms' inverse document frequencies.
SATURATION = 2.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage's number in the index with its scores, each in [0, 1]."""

    key: int
    score: float
    dense: float
    lexical: float


class Reranker(Protocol):
    """Orders a few passages by reading each together with the question."""

    def order(self, query: str, texts: Sequence[str]) -> list[int]:
        """The places of the texts, the one that answers best first."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How passages are chosen.

    `floor` in [0, 1] is the confidence below which nothing is returned; 0 turns it off.
    `diversity` in [0, 1] is how much of a passage's score its likeness to better ones costs;
    0 turns that off, too. `threads` are the encoder's.
    """

    floor: float = DEFAULT_FLOOR
    diversity: float = DEFAULT_DIVERSITY
    reranker: Reranker | None = None
    threads: int = 1


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
        options: SearchOptions | None = None,
    ) -> None:
        """Opens the index; `encoder` is loaded by the name in the index when it is not given.

        Raises:
            AgentError: no index there, a damaged one, or one of another encoder.
        """
        self.folder, self.options = folder, options or SearchOptions()
        self._lock, self._reranker = threading.RLock(), self.options.reranker
        self._index, self.notice = _open_newest(folder, encoder, self.options.threads)

    @property
    def encoder(self) -> Encoder:
        """The encoder of the index that is open."""
        return self._index.encoder

    @property
    def floor(self) -> float:
        """The confidence below which `search` returns nothing."""
        return self.options.floor

    def search(
        self, query: str, *, limit: int = 5, where: Mapping[str, str] | None = None
    ) -> list[ScoredPassage]:
        """The passages that answer a question, best first; none when that is not sure enough.

        With `where` only those of documents that have all this metadata, such as `language`.
        """
        found = self.search_all(query, limit=limit, where=where)
        if not found or (found[0].confidence or 0.0) < self.floor:
            return []
        least = KEEP_SHARE * max(scored.score for scored in found)
        return [scored for scored in found if scored.score >= least]

    def search_all(
        self,
        query: str,
        *,
        limit: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, str] | None = None,
    ) -> list[ScoredPassage]:
        """The nearest passages whatever their score, best first; repeated texts once.

        The options' diversity and reranker change the order, never a score.
        """
        for _ in range(RETRIES):
            ranked = self.rank(query, limit=max(DEPTH, 2 * limit + 8), mode=mode, where=where)
            hits = ranked[: 2 * limit + 8]
            with self._lock:
                passages = self._index.store.passages([hit.key for hit in hits])
            # Another process may have taken a passage out since it was found.
            if len(passages) == len(hits):
                break
        kept = [hit for hit in hits if hit.key in passages]
        sure = 0.0
        if kept:
            best = passages[kept[0].key]
            # A copy of it in another document says the same, so it is no rival.
            copies = {key for key, passage in passages.items() if passage.text == best.text}
            rivals = [hit for hit in ranked if hit is kept[0] or hit.key not in copies]
            sure = self._confidence(query, rivals, best)
        found: dict[str, tuple[int, ScoredPassage]] = {}
        for hit in kept:
            passage = passages[hit.key]
            scored = ScoredPassage(passage, hit.score, hit.dense, hit.lexical, sure)
            found.setdefault(passage.text, (hit.key, scored))
        return self._ordered(query, list(found.values()), limit)

    def _confidence(self, query: str, hits: Sequence[Hit], best: Passage) -> float:
        """How sure it is that the best passage answers; see `knowledge.confidence`."""
        with self._lock:
            words, documents = self._index.words, self._index.store.document_ids
            count, names = len(words), documents([hit.key for hit in hits])
            terms = words.query_terms(query)
            weights = {term: _idf(words.frequency(term), count) for term in terms}
            present = frozenset(words.terms(best.searched_text))
        found = [
            Found(names[hit.key], hit.score, hit.dense, hit.lexical)
            for hit in hits
            if hit.key in names
        ]
        if not found:
            return 0.0
        readable = 1.0 - self.encoder.unknown_share(query)
        evidence = gather(found, weights, present, readable=readable)
        return confidence(evidence, pair=bool(best.question))

    def _ordered(
        self, query: str, found: list[tuple[int, ScoredPassage]], limit: int
    ) -> list[ScoredPassage]:
        """The best of what was found, in the order that diversity and reranker give."""
        if self._reranker is not None and len(found) > 1:
            texts = [scored.passage.searched_text for _, scored in found]
            try:
                found = [found[place] for place in self._reranker.order(query, texts)]
            except AgentError as error:
                # Each further question would wait for the same failure.
                self._reranker = None
                _log.warning("%s; passages stay as they were found", error)
        if self.options.diversity and limit > 1 and len(found) > 2:
            found = self._diverse(found, limit)
        return [scored for _, scored in found[:limit]]

    def _diverse(
        self, found: list[tuple[int, ScoredPassage]], limit: int
    ) -> list[tuple[int, ScoredPassage]]:
        with self._lock:
            known, rows = self._index.store.vectors([key for key, _ in found])
        if len(known) < len(found):
            return found  # another process took one out meanwhile
        places = {key: place for place, key in enumerate(known)}
        order = diverse_order(
            [scored.score for _, scored in found],
            rows[[places[key] for key, _ in found]],
            limit=limit,
            diversity=self.options.diversity,
        )
        return [found[place] for place in order]

    def rank(
        self,
        query: str,
        *,
        limit: int,
        mode: Mode = "hybrid",
        where: Mapping[str, str] | None = None,
    ) -> list[Hit]:
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
                return self.rank(query, limit=limit, mode=mode, where=where)
            only = self._index.store.keys_where(where) if where else None
            if only is not None and not len(only):
                return []
            depth = max(limit, DEPTH)
            lexical = {} if mode == "dense" else _lexical(self._index, query, depth, only)
            near = {} if mode == "lexical" else _dense(self._index, vector, depth, lexical, only)
        weight = {"dense": 1.0, "lexical": 0.0, "hybrid": DENSE_WEIGHT * readable**2}[mode]
        hits = []
        for key in lexical if mode == "lexical" else near:
            dense, words = near.get(key, 0.0), lexical.get(key, 0.0)
            hits.append(Hit(key, weight * dense + (1 - weight) * words, dense, words))
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
            self._index, self.notice = _open_newest(self.folder, old.encoder, self.options.threads)
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
    index: OpenIndex,
    vector: Vectors,
    depth: int,
    proposed: dict[int, float],
    only: Ids | None,
) -> dict[int, float]:
    """Scores by meaning of the nearest passages and of those that their words proposed.

    What the words proposed and is no longer there is taken out of `proposed`.
    """
    scores, ids = index.vectors.search(vector, depth, only=only)
    cosines = {
        key: cosine
        for key, cosine in zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        if key >= 0
    }
    known, rows = index.store.vectors([key for key in proposed if key not in cosines])
    if known:
        cosines.update(zip(known, (rows @ vector[0]).tolist(), strict=True))
    base = index.encoder.spec.unrelated_cosine
    return {key: min(1.0, max(0.0, (c - base) / (1.0 - base))) for key, c in cosines.items()}


def _lexical(index: OpenIndex, query: str, depth: int, only: Ids | None) -> dict[int, float]:
    """BM25 scores as a share of what the question's words could reach at most."""
    words = index.words
    terms, count = words.query_terms(query), len(words)
    # A word that occurs nowhere counts, too: it says that something else was asked for.
    bound = SATURATION * sum(_idf(words.frequency(term), count) for term in terms)
    if bound <= 0:
        return {}
    keys = None if only is None else only.tolist()
    return {key: min(1.0, s / bound) for key, s in words.search_terms(terms, depth, only=keys)}


def open_retriever(
    index_dir: Path,
    *,
    encoder: Encoder | None = None,
    options: SearchOptions | None = None,
) -> Retriever:
    """A retriever over what `Collection` wrote to `index_dir`.

    Raises:
        AgentError: no index there, a damaged one, or one of another encoder.
    """
    return Retriever(index_dir, encoder=encoder, options=options)


def _idf(frequency: int, count: int) -> float:
    """Inverse document frequency as BM25 has it; positive."""
    frequency = min(frequency, count)
    return math.log(1.0 + (count - frequency + 0.5) / (frequency + 0.5))
