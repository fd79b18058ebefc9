"""An encoder without a model: words are hashed into a small vector."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from knowledge.encoder import Encoder, Vectors
from knowledge.encoder_spec import EncoderSpec

WORD = re.compile(r"\S+")


class FakeEncoder(Encoder):
    """Texts with the same words are near; a token is a word."""

    def __init__(self, *, name: str = "fake", max_tokens: int = 24, dimensions: int = 64) -> None:
        self.spec = EncoderSpec(
            name=name,
            pooling="mean",
            dimensions=dimensions,
            max_tokens=max_tokens,
            pad_id=0,
            source_sha256=name,
        )
        self._specials = 2
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of hashed words; every text is noted in `encoded`."""
        self.encoded += texts
        rows = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), dtype=np.float32)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """The words."""
        return [match.span() for match in WORD.finditer(text)]

    def unknown_share(self, text: str) -> float:
        """Everything is readable."""
        return 0.0

    def _vector(self, text: str) -> Vectors:
        row = np.full(self.dimensions, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dimensions] += 1.0
        return np.asarray(row / np.linalg.norm(row), dtype=np.float32)
