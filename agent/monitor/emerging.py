"""New topics: clusters among the items that fit no topic."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

# Mean distance (1 - cosine) up to which groups are the same topic.
_APART = 0.5
_MOST = 2000
_WORD = re.compile(r"[^\W\d_]{3,}")
_KEYWORDS = 4
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class NewTopic:
    """Items alike that fit no topic: `words` tell them from the rest, `last` is the newest's
    time (ISO 8601); `examples` stand nearest to their middle."""

    words: tuple[str, ...]
    count: int
    first: str
    last: str
    examples: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What is printed."""
        return {
            "words": list(self.words),
            "count": self.count,
            "first": self.first,
            "last": self.last,
            "examples": list(self.examples),
        }


def new_topics(
    records: Sequence[Mapping[str, Any]], encode: Encode, *, least: int = 4
) -> list[NewTopic]:
    """Groups of at least `least` different texts, the largest first.

    Args:
        records: kept items that fit no topic; the first 2,000 are looked at.
        encode: texts to unit vectors (n, H).
        least: texts that make a topic.
    """
    by_text = {str(record["text"]): record for record in reversed(records[:_MOST])}
    if len(by_text) < least:
        return []
    texts = list(by_text)
    vectors = encode(texts)
    groups = [g for g in _groups(vectors) if len(g) >= least]
    background = Counter(word for text in texts for word in _words(text))
    found = [_topic(group, texts, vectors, by_text, background) for group in groups]
    return sorted(found, key=lambda topic: -topic.count)


def _groups(vectors: NDArray[np.float32]) -> list[NDArray[np.intp]]:
    from sklearn.cluster import AgglomerativeClustering  # loads slowly

    clustering = AgglomerativeClustering(
        n_clusters=None, distance_threshold=_APART, metric="cosine", linkage="average"
    )
    labels = clustering.fit_predict(vectors)
    return [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]


def _topic(
    group: NDArray[np.intp],
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    records: Mapping[str, Mapping[str, Any]],
    background: Mapping[str, int],
) -> NewTopic:
    inside = Counter(word for row in group for word in _words(texts[row]))
    # Frequent here, rare elsewhere.
    weights = {
        word: count * log(1 + len(texts) / background[word])
        for word, count in inside.items()
        if count > 1
    }
    words = tuple(sorted(weights, key=lambda word: (-weights[word], word))[:_KEYWORDS])
    nearness = vectors[group] @ vectors[group].mean(axis=0)
    dates = sorted(str(records[texts[row]]["date"]) for row in group)
    shown = tuple(texts[group[i]] for i in np.argsort(-nearness)[:_SHOWN])
    return NewTopic(words, len(group), dates[0], dates[-1], shown)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
