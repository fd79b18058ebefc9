"""The logistic regression against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.frozen.linear import cross_logits, fit_linear


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 8))
    targets = np.arange(200) % 4
    vectors = centres[targets] + rng.normal(size=(200, 8))
    return vectors.astype(np.float32), targets


def test_probabilities_equal_scikit_learn(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, targets = blobs
    ours = fit_linear(vectors, targets, 4, strength=5.0).logits(vectors)
    theirs = LogisticRegression(C=5.0, max_iter=2000, tol=1e-8).fit(vectors, targets)
    chances = np.exp(ours - ours.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    assert np.abs(chances - theirs.predict_proba(vectors)).max() < 0.01


def test_rows_without_a_target_teach_nothing(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, targets = blobs
    masked = targets.copy()
    masked[100:] = -1
    ours = fit_linear(vectors, masked, 4)
    alone = fit_linear(vectors[:100], targets[:100], 4)
    assert np.allclose(ours.weight, alone.weight, atol=1e-3)


def test_a_single_class_gives_zeros() -> None:
    model = fit_linear(np.ones((3, 2), np.float32), np.zeros(3, np.int64), 1)
    assert not model.weight.any()


def test_a_class_without_examples_is_never_likely() -> None:
    vectors = np.eye(2, dtype=np.float32)[[0, 1] * 20]
    model = fit_linear(vectors, np.array([0, 1] * 20), 3)
    assert (model.logits(vectors).argmax(axis=1) < 2).all()


def test_cross_logits_come_from_models_that_did_not_see_the_row() -> None:
    # Each row is its own direction, so nothing but itself could teach its class.
    vectors, targets = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1])
    logits = cross_logits(vectors, targets, 2, [[0], [1], [2], [3]])
    assert (logits.argmax(axis=1) != targets).all()
