"""Passages and vectors with the distribution of real ones, made from numbers."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from knowledge.encoder import Encoder, Vectors
from knowledge.encoder_spec import EncoderSpec
from knowledge.passage import Document

DIMENSIONS = 384
BLOCK = 4096
VOCABULARY = 50_000
WORDS = 60
# Texts lie around topics: so far from the topic's middle, a third of the topics below others.
PER_TOPIC = 200
SPREAD = 0.8
QUERY_SPREAD = 0.6


class SyntheticEncoder(Encoder):
    """Knows the vector of each synthetic text by the number that it begins with."""

    def __init__(self, topics: int) -> None:
        self.spec = EncoderSpec(
            name="synthetic",
            pooling="mean",
            dimensions=DIMENSIONS,
            max_tokens=256,
            pad_id=0,
            source_sha256=f"synthetic {topics}",
        )
        self._specials, self._topics = 2, topics
        self._block = lru_cache(maxsize=4)(self._make_block)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 (n, 384)."""
        numbers = [int(text.split(" ", 1)[0]) for text in texts]
        rows = [self._block(number // BLOCK)[number % BLOCK] for number in numbers]
        return np.stack(rows) if rows else np.zeros((0, DIMENSIONS), dtype=np.float32)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """A token is a word of five letters and a space."""
        return [(start, start + 5) for start in range(0, len(text), 6)]

    def unknown_share(self, text: str) -> float:
        """Everything is readable."""
        return 0.0

    def _make_block(self, number: int) -> Vectors:
        chance = np.random.default_rng([7, number])
        topics = topic_middles(self._topics)[chance.integers(0, self._topics, BLOCK)]
        return spread(topics, SPREAD, chance)


@lru_cache(maxsize=2)
def topic_middles(topics: int) -> Vectors:
    """The middles of topics, float32 (topics, 384): some are near to one another."""
    chance = np.random.default_rng(11)
    fields = spread(np.zeros((max(1, topics // 30), DIMENSIONS), np.float32), 1.0, chance)
    return spread(fields[chance.integers(0, len(fields), topics)], 1.2, chance)


def spread(middles: Vectors, by: float, chance: np.random.Generator) -> Vectors:
    """Unit vectors around `middles` (n, D), `by` times as far as those are long."""
    noise = chance.standard_normal(middles.shape, dtype=np.float32) / np.float32(DIMENSIONS**0.5)
    rows = middles + np.float32(by) * noise
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def documents(start: int, end: int, *, salt: int = 0) -> Iterator[Document]:
    """One document of one passage for each number; words are as frequent as in language."""
    words = _words()
    for first in range(start, end, BLOCK):
        chance = np.random.default_rng([salt, first])
        size = min(BLOCK, end - first)
        # Zipf's law by its inverse distribution.
        ranks = VOCABULARY ** chance.random((size, WORDS)) - 1
        for row, number in zip(ranks.astype(np.int64), range(first, first + size), strict=True):
            text = " ".join([f"{number}", *words[row]])
            yield Document(id=f"d{number}", title="", text=text)


@lru_cache(maxsize=1)
def _words() -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    chance = np.random.default_rng(3)
    made = {"".join(row) for row in letters[chance.integers(0, 26, (VOCABULARY * 2, 5))]}
    return np.array(sorted(made)[:VOCABULARY], dtype=object)
