"""From logits to honest numbers: probabilities, and how much a message is in scope."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.understanding.labels import ScopeModel

Floats = NDArray[np.float32]

# A message's mean similarity to its nearest training examples looks at this many.
NEIGHBOURS = 3


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities over the last axis, (…, C) to (…, C); 1 is the neutral temperature."""
    scaled = np.asarray(logits, dtype=np.float32) / np.float32(temperature)
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: Floats = exponents / exponents.sum(axis=-1, keepdims=True)
    return result


def scope_features(
    logits: Floats,
    pooled: Floats,
    known: Floats,
    outside: Floats,
    temperature: float,
    *,
    skip_self: bool = False,
) -> Mapping[str, Floats]:
    """What tells messages in scope from others, each (n,), higher = more in scope.

    Args:
        logits: (n, I) intent logits.
        pooled: (n, H) unit vectors of the messages.
        known: (m, H) unit vectors of the training examples that have an intent.
        outside: (k, H) unit vectors of the training examples marked `oos`; may be empty.
        temperature: the intent head's.
        skip_self: leave each message's best match out, because it is the message itself.

    Returns: `energy` (log-sum-exp of the logits over the temperature, times it; Liu et al.
    2020, "Energy-based out-of-distribution detection"), `max_logit`, `confidence` (log odds
    of the best intent), `similarity` (mean cosine to the nearest examples) and `contrast`
    (that minus the best cosine to an `oos` example; 0 without any).
    """
    scaled = logits / temperature
    top = scaled.max(axis=1)
    energy = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    best = np.clip(softmax(logits, temperature).max(axis=1), 1e-6, 1 - 1e-6)
    near = nearest_mean(pooled, known, skip_self=skip_self)
    contrast = near - (pooled @ outside.T).max(axis=1) if len(outside) else np.zeros_like(near)
    return {
        "energy": energy * temperature,
        "max_logit": top * temperature,
        "confidence": np.log(best / (1 - best)),
        "similarity": near,
        "contrast": contrast,
    }


def nearest_mean(pooled: Floats, known: Floats, *, skip_self: bool = False) -> Floats:
    """The mean cosine (n,) of each vector to its nearest `NEIGHBOURS` known ones; 0 if none."""
    skip = int(skip_self)
    count = min(NEIGHBOURS, len(known) - skip)
    if count <= 0:
        return np.zeros(len(pooled), dtype=np.float32)
    cosines = pooled @ known.T  # (n, m)
    best = np.sort(np.partition(cosines, -(count + skip), axis=1)[:, -(count + skip) :], axis=1)
    result: Floats = best[:, :count].mean(axis=1)
    return result


def in_scope(model: ScopeModel, features: Mapping[str, Floats]) -> Floats:
    """How much messages are in scope, (n,) in [0, 1], higher = more; see `ScopeModel`."""
    if not model.features:
        return np.ones(len(next(iter(features.values()))), dtype=np.float32)
    columns = np.stack([features[name] for name in model.features], axis=1)  # (n, F)
    standard = (columns - np.array(model.mean)) / np.array(model.scale)
    score = np.clip(standard @ np.array(model.weights) + model.bias, -30, 30)
    result: Floats = (1.0 / (1.0 + np.exp(-score))).astype(np.float32)
    return result


def margin(probabilities: Sequence[float]) -> float:
    """How far the best probability is ahead of the second, in [0, 1]; 1 if there is none."""
    best = sorted(probabilities, reverse=True)[:2]
    return best[0] - best[1] if len(best) == 2 else 1.0
