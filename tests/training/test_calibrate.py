"""Calibration on held-out messages."""

import numpy as np
import pytest

from agent.project.types import Example, FallbackConfig
from agent.understanding.confidence import in_scope, sharpen, softmax
from training.calibrate import (
    ambiguity_margin,
    fallback_sharpness,
    features_of,
    fit_scope,
    fit_temperature,
)
from training.fitted import HeldOut, Known
from training.metrics import auroc, calibration_error


def overconfident(n: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Logits three times as large as the chances that made the targets."""
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(n, 5)).astype(np.float32)
    chances = softmax(honest)
    targets = np.array([rng.choice(5, p=row / row.sum()) for row in chances.astype(np.float64)])
    return honest * 3, targets


def test_the_temperature_undoes_overconfidence() -> None:
    logits, targets = overconfident()
    temperature = fit_temperature(logits, targets)
    assert temperature == pytest.approx(3.0, rel=0.1)
    chances = softmax(logits, temperature)
    right = (chances.argmax(axis=1) == targets).tolist()
    assert calibration_error(chances.max(axis=1).tolist(), right) < 0.03


def test_without_targets_the_temperature_is_neutral() -> None:
    assert fit_temperature(np.ones((3, 2), np.float32), np.full(3, -1)) == 1.0
    assert fit_temperature(np.zeros((0, 2), np.float32), np.zeros(0, np.int64)) == 1.0


def scoped() -> tuple[HeldOut, np.ndarray]:
    """Messages near two known directions, and others anywhere."""
    rng = np.random.default_rng(1)

    def unit(rows: np.ndarray) -> np.ndarray:
        result: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return result.astype(np.float32)

    centres = unit(rng.normal(size=(2, 16)))
    known = unit(centres[np.arange(60) % 2] + 0.2 * rng.normal(size=(60, 16)))
    inside = unit(centres[np.arange(200) % 2] + 0.2 * rng.normal(size=(200, 16)))
    pooled = np.concatenate([inside, unit(rng.normal(size=(100, 16)))])
    targets = np.r_[np.arange(200) % 2, np.full(100, -1)]
    examples = tuple(Example(str(i), None) for i in range(300))
    nothing = np.zeros((0, 16), np.float32)
    around = Known(known, np.arange(60) % 2, nothing)
    held = HeldOut(examples, {"intent": 10 * pooled @ centres.T}, pooled, around)
    return held, targets


def test_the_threshold_flags_the_share_that_was_asked_for() -> None:
    held, targets = scoped()
    model = fit_scope(held, targets, 1.0, 0.035)
    scores = in_scope(model, features_of(held, targets, 1.0))
    assert (scores[targets >= 0] < 0.5).mean() == pytest.approx(0.035, abs=0.006)


def test_strangers_score_below_messages_in_scope() -> None:
    held, targets = scoped()
    scores = in_scope(fit_scope(held, targets, 1.0, 0.035), features_of(held, targets, 1.0))
    area = auroc(targets >= 0, scores.astype(np.float64))
    assert area is not None
    assert area > 0.95


def test_too_few_messages_place_no_threshold() -> None:
    held, targets = scoped()
    logits = {"intent": held.logits["intent"][:5]}
    few = HeldOut(held.examples[:5], logits, held.pooled[:5], held.known)
    assert fit_scope(few, targets[:5], 1.0, 0.035).features == ()


def test_a_coin_flip_between_two_intents_is_ambiguous() -> None:
    rng = np.random.default_rng(3)
    logits = np.zeros((400, 2), np.float32)
    logits[:200, 0] = rng.uniform(0, 0.15, 200)
    logits[200:, 0] = 4
    targets = np.r_[np.arange(200) % 2, np.zeros(200, np.int64)]
    assert 0 < ambiguity_margin(softmax(logits), targets) <= 0.1


def test_a_message_is_no_part_of_its_own_class_centre() -> None:
    held, _ = scoped()
    own = HeldOut(
        held.examples[:60],
        {"intent": held.logits["intent"][:60]},
        held.known.vectors,
        held.known,
        skip_self=True,
    )
    classes = held.known.classes
    found = features_of(own, classes, 1.0)["centre"]
    first = held.known.vectors[0]
    others = held.known.vectors[classes == classes[0]][1:].sum(axis=0)
    assert found[0] == pytest.approx(first @ others / np.linalg.norm(others), abs=1e-5)


def test_a_fallback_threshold_seldom_refuses_what_is_understood_rightly() -> None:
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 5, size=2000)
    logits = rng.normal(size=(2000, 5)) + 6 * np.eye(5)[targets]
    honest = softmax(logits.astype(np.float32), 3.0)
    config = FallbackConfig(0.6, 0.1)
    sharpness = fallback_sharpness(honest, targets, config)
    right = honest[honest.argmax(axis=1) == targets]
    assert 1.0 < sharpness < 8.0
    assert (right.max(axis=1) < 0.6).mean() > 0.3
    best = np.sort(sharpen(right, sharpness), axis=1)
    assert ((best[:, -1] < 0.6) | (best[:, -1] - best[:, -2] < 0.1)).mean() <= 0.02


def test_a_threshold_that_refuses_little_leaves_confidences_alone() -> None:
    sure = np.tile(np.array([0.9, 0.1], np.float32), (40, 1))
    targets = np.zeros(40, np.int64)
    assert fallback_sharpness(sure, targets, FallbackConfig(0.3, 0.1)) == 1.0
    assert fallback_sharpness(sure[:5], targets[:5], FallbackConfig(0.95, 0.1)) == 1.0
    assert fallback_sharpness(sure, targets, FallbackConfig()) == 1.0


def test_sharpening_keeps_the_order_and_the_sum() -> None:
    sharp = sharpen(np.array([[0.5, 0.3, 0.2]], np.float32), 2.0)
    assert sharp.sum() == pytest.approx(1.0)
    assert sharp[0].tolist() == pytest.approx([0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38])
