"""A small token classifier on frozen states: a token with its neighbours, one hidden layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

HIDDEN = 128
_BATCH = 256
_RATE = 1e-3
_DECAY = 1e-4
_DROPOUT = 0.3
# Rows seen in all, so that large data take no longer than this allows.
_ROWS = 300_000
_MAX_EPOCHS = 30
_FEWEST_STEPS = 400


@dataclass(frozen=True, slots=True)
class Tagger:
    """relu(window @ w1 + b1) @ w2 + b2, a window being the states of t-1, t and t+1.

    `w1` (3H, D), `b1` (D,), `w2` (D, L), `b2` (L,).
    """

    w1: Floats
    b1: Floats
    w2: Floats
    b2: Floats

    def logits(self, states: Floats) -> Floats:
        """Tag logits (T, L) of one text's token states (T, H)."""
        hidden = np.maximum(windows(states) @ self.w1 + self.b1, 0)
        result: Floats = hidden @ self.w2 + self.b2
        return result


def windows(states: Floats) -> Floats:
    """Each state beside its neighbours, zeros beyond the ends: (T, H) to (T, 3H)."""
    padded = np.pad(states, ((1, 1), (0, 0)))
    return np.concatenate([padded[:-2], padded[1:-1], padded[2:]], axis=1)


def fit_tagger(
    states: Floats,
    positions: Ints,
    targets: Ints,
    tags: int,
    *,
    seed: int,
    weights: Floats | None = None,
    report: Callable[[float, float], None] | None = None,
) -> Tagger:
    """Train on the states at some positions, with a tag each, by Adam with a falling rate.

    Args:
        states: (N, H) states of all texts, with a row of zeros before and after each text.
        positions: (n,) the rows that carry a tag.
        targets: (n,) their tags, below `tags`.
        seed: makes the result repeatable on one machine.
        weights: (n,) the importance of each position, by default 1.
        report: gets the share done in [0, 1] and the loss.

    Source of Adam: Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019.
    """
    rng = np.random.default_rng(seed)
    importance = np.ones(len(targets), np.float32) if weights is None else weights
    model = _initial(rng, 3 * states.shape[1], tags, targets)
    batches = -(-len(targets) // _BATCH)
    # Few examples need many passes to get anywhere.
    epochs = max(int(np.clip(_ROWS // len(targets), 4, _MAX_EPOCHS)), _FEWEST_STEPS // batches)
    steps = epochs * batches
    adam, step = _Adam(model), 0
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(len(targets)), batches):
            rate = _RATE * min(1.0, (step + 1) / (0.05 * steps)) * (1 - step / steps)
            around = positions[batch][:, None] + np.array([-1, 0, 1])  # (B, 3)
            rows = states[around].reshape(len(batch), -1)  # (B, 3H)
            loss, gradients = _gradients(model, rows, targets[batch], importance[batch], rng)
            adam.step(gradients, rate)
            step += 1
        if report is not None:
            report(step / steps, loss)
    return Tagger(*model)


def _initial(rng: np.random.Generator, size: int, tags: int, targets: Ints) -> list[Floats]:
    prior = np.bincount(targets, minlength=tags) + 1.0
    return [
        (rng.standard_normal((size, HIDDEN)) * np.sqrt(2 / size)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        np.zeros((HIDDEN, tags), np.float32),
        np.log(prior / prior.sum()).astype(np.float32),
    ]


def _gradients(
    model: Sequence[Floats], x: Floats, y: Ints, w: Floats, rng: np.random.Generator
) -> tuple[float, list[Floats]]:
    w1, b1, w2, b2 = model
    before = x @ w1 + b1  # (B, D)
    keep = (rng.random(before.shape, dtype=np.float32) >= _DROPOUT) / np.float32(1 - _DROPOUT)
    hidden = np.maximum(before, 0) * keep
    logits = hidden @ w2 + b2  # (B, L)
    logits -= logits.max(axis=1, keepdims=True)
    exponents = np.exp(logits)
    sums = exponents.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = float((w * (np.log(sums[:, 0]) - logits[rows, y])).sum() / w.sum())
    error = exponents / sums
    error[rows, y] -= 1
    error *= (w / w.sum())[:, None]
    back = (error @ w2.T) * keep * (before > 0)
    return loss, [x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


class _Adam:
    """Adam's running moments for a list of arrays that it changes in place."""

    def __init__(self, values: Sequence[Floats]) -> None:
        self._values = values
        self._first = [np.zeros_like(v) for v in values]
        self._second = [np.zeros_like(v) for v in values]
        self._count = 0

    def step(self, gradients: Sequence[Floats], rate: float) -> None:
        self._count += 1
        fix1, fix2 = 1 - 0.9**self._count, 1 - 0.999**self._count
        for i, gradient in enumerate(gradients):
            value, first, second = self._values[i], self._first[i], self._second[i]
            np.add(first, 0.1 * (gradient - first), out=first)
            np.add(second, 0.001 * (gradient * gradient - second), out=second)
            change = first / fix1 / (np.sqrt(second / fix2) + 1e-8) + _DECAY * value
            np.subtract(value, rate * change, out=value)
