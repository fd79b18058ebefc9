"""Fits what words and letters say of a label (`agent.understanding.spelling`), without torch.

The n-grams of the examples are brought down to a few hundred directions (latent semantic
analysis), so that one logistic regression reads them beside the encoder's vectors in the time
that those alone would take about twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_matrix

from agent.understanding.confidence import softmax
from agent.understanding.spelling import Terms, terms_of
from training.calibrate import fit_temperature
from training.frozen.linear import Linear, cross_logits

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_MOST_TERMS = 16384
_FEWEST_TEXTS = 2
_DIRECTIONS = 256
# Directions are found on so many texts; others are only expressed in them.
_MOST_TEXTS = 1500
# How much the letters count beside the encoder's unit vectors.
_SCALES = (0.0, 0.5, 1.0)
# From this many examples on, one fold of five tells the scales apart; more than the latter are
# thinned out for it.
_MANY, _MOST_CHOOSING = 1000, 4000


@dataclass(frozen=True, slots=True)
class Letters:
    """Texts by their spelling: `vectors` (n, D) and how to get there from terms, `basis` (V, D)."""

    terms: Terms
    basis: Floats
    vectors: Floats

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Letters":
        """The terms and directions of texts, by their frequency alone."""
        terms = known_terms(texts)
        rows = _matrix(terms, texts)
        basis = _directions(rows)
        return cls(terms, basis, np.asarray(rows @ basis, np.float32))

    def read(self, texts: Sequence[str]) -> Floats:
        """Other texts in the same directions, (m, D)."""
        return np.asarray(_matrix(self.terms, texts) @ self.basis, np.float32)


def known_terms(texts: Sequence[str]) -> Terms:
    """The most frequent terms that at least two texts have, with their inverse frequency."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(terms_of(text).keys())
    kept = [t for t, n in counts.most_common(_MOST_TERMS) if n >= _FEWEST_TEXTS]
    often = np.array([counts[term] for term in kept], dtype=np.float32)
    rarity = np.log((1 + len(texts)) / (1 + often)) + 1
    return Terms({term: place for place, term in enumerate(kept)}, rarity.astype(np.float32))


def _matrix(terms: Terms, texts: Sequence[str]) -> csr_matrix:
    found = [terms.vector(text) for text in texts]
    starts = np.cumsum([0, *(len(places) for places, _ in found)])
    places = np.concatenate([np.zeros(0, np.int64), *(places for places, _ in found)])
    values = np.concatenate([np.zeros(0, np.float32), *(values for _, values in found)])
    return csr_matrix((values, places, starts), shape=(len(texts), len(terms.places)))


def _directions(rows: csr_matrix) -> Floats:
    """The right singular vectors (V, D) of the largest singular values of rows (n, V)."""
    count = rows.shape[0]
    if count > _MOST_TEXTS:
        rows = rows[np.linspace(0, count - 1, _MOST_TEXTS).astype(int)]
    likeness = (rows @ rows.T).toarray().astype(np.float64)
    size = len(likeness)
    values, vectors = eigh(likeness, subset_by_index=[max(0, size - _DIRECTIONS), size - 1])
    kept = values > 1e-6
    return np.asarray(rows.T @ (vectors[:, kept] / np.sqrt(values[kept])), np.float32)


def joined(pooled: Floats, letters: Floats, scale: float) -> Floats:
    """The encoder's vectors (n, H) with scaled ones of letters (n, D) beside them."""
    return np.concatenate([pooled, letters * np.float32(scale)], axis=1) if scale else pooled


def choose_scale(
    pooled: Floats,
    letters: Floats,
    targets: Ints,
    classes: int,
    parts: Sequence[Sequence[int]],
    weights: Floats,
) -> float:
    """The scale of letters at which held-out examples are most likely, temperature aside.

    Args:
        pooled: (n, H) vectors of the encoder.
        letters: (n, D) vectors of the spelling.
        targets: (n,) class numbers, -1 leaves a row out.
        classes: how many there are.
        parts: the folds.
        weights: (n,) the importance of each row.
    """
    step = max(1, -(-len(targets) // _MOST_CHOOSING))
    pooled, letters = pooled[::step], letters[::step]
    targets, weights = targets[::step], weights[::step]
    folds = parts if len(targets) < _MANY else parts[:1]
    used = [[row // step for row in part if row % step == 0] for part in folds]
    rows = np.array([row for part in used for row in part], dtype=np.int64)
    rows = rows[targets[rows] >= 0]
    if not letters.shape[1] or not len(rows):
        return 0.0
    losses = {}
    for scale in _SCALES:
        x = joined(pooled, letters, scale)
        logits = cross_logits(x, targets, classes, used, weights=weights)[rows]
        losses[scale] = _loss(logits, targets[rows])
    return min(losses, key=losses.__getitem__)


def _loss(logits: Floats, targets: Ints) -> float:
    probabilities = softmax(logits, fit_temperature(logits, targets))
    right = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def split(linear: Linear, letters: Letters, scale: float) -> tuple[Linear, NDArray[np.float16]]:
    """A map of `joined` vectors as one of the encoder's vectors and one of terms (V, C)."""
    size = linear.weight.shape[1] - letters.vectors.shape[1]
    own = Linear(np.ascontiguousarray(linear.weight[:, :size]), linear.bias)
    return own, (letters.basis @ linear.weight[:, size:].T * scale).astype(np.float16)
