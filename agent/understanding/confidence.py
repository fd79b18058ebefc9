"""From logits to honest numbers: probabilities, and how much a message is in scope."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.understanding.labels import ScopeModel, intent_of

Floats = NDArray[np.float32]


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities over the last axis, (…, C) to (…, C); 1 is the neutral temperature."""
    scaled = np.asarray(logits, dtype=np.float32) / np.float32(temperature)
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: Floats = exponents / exponents.sum(axis=-1, keepdims=True)
    return result


def sharpen(probabilities: Floats, sharpness: float) -> Floats:
    """Probabilities raised to a power and scaled to 1 again, (…, I) to (…, I).

    The order stays; 1 changes nothing, more moves the mass to the best, as a lower temperature
    does.
    """
    raised = np.asarray(probabilities, dtype=np.float32) ** np.float32(sharpness)
    result: Floats = raised / np.maximum(raised.sum(axis=-1, keepdims=True), 1e-30)
    return result


def intent_members(classes: Sequence[str], intents: Sequence[str]) -> Floats:
    """The matrix (C, I) that adds the probabilities of classes up to those of their intents."""
    column = {intent: number for number, intent in enumerate(intents)}
    members = np.zeros((len(classes), len(intents)), dtype=np.float32)
    members[range(len(classes)), [column[intent_of(name)] for name in classes]] = 1.0
    return members


def class_centres(vectors: Floats, classes: NDArray[np.int64], count: int) -> Floats:
    """The unit vector (count, H) in the middle of each class's examples; 0 for an empty class.

    Args:
        vectors: (m, H) unit vectors of examples.
        classes: (m,) their class numbers below `count`.
        count: the number of classes.
    """
    sums = np.zeros((count, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, classes, vectors)
    centres: Floats = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    return centres


FEATURES = ("energy", "max_logit", "confidence", "centre", "contrast")


def scope_features(
    logits: Floats,
    nearest: Floats,
    pooled: Floats,
    outside: Floats,
    temperature: float,
    *,
    wanted: Collection[str] = FEATURES,
) -> Mapping[str, Floats]:
    """What tells messages in scope from others, each (n,), higher = more in scope.

    Args:
        logits: (n, C) class logits.
        nearest: (n,) the cosine to the nearest class's centre.
        pooled: (n, H) unit vectors of the messages.
        outside: (k, H) unit vectors of the training examples marked `oos`; may be empty.
        temperature: the intent head's.
        wanted: which of them.

    Returns: `energy` (log-sum-exp of the logits over the temperature, times it; Liu et al.
    2020, "Energy-based out-of-distribution detection"), `max_logit`, `confidence` (log odds
    of the best class), `centre` (`nearest`) and `contrast` (that minus the best cosine to an
    `oos` example; 0 without any).
    """
    found = {"max_logit": logits.max(axis=1), "centre": nearest}
    if "contrast" in wanted:
        away = (pooled @ outside.T).max(axis=1) if len(outside) else nearest
        found["contrast"] = nearest - away
    if "energy" in wanted or "confidence" in wanted:
        scaled = logits / temperature
        top = scaled.max(axis=1)
        energy = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        best = np.clip(np.exp(top - energy), 1e-6, 1 - 1e-6)
        found["energy"], found["confidence"] = energy * temperature, np.log(best / (1 - best))
    return {name: found[name] for name in wanted}


def in_scope(model: ScopeModel, features: Mapping[str, Floats]) -> Floats:
    """How much messages are in scope, (n,) in [0, 1], higher = more; see `ScopeModel`."""
    if not model.features:
        return np.ones(len(next(iter(features.values()))), dtype=np.float32)
    parts = zip(model.features, model.weights, model.mean, model.scale, strict=True)
    scores = [(features[name] - mean) * (weight / scale) for name, weight, mean, scale in parts]
    score = np.maximum(sum(scores) + model.bias, -30.0)  # (n,)
    result: Floats = (1.0 / (1.0 + np.exp(-score))).astype(np.float32)
    return result


def margin(probabilities: Sequence[float]) -> float:
    """How far the best probability is ahead of the second, in [0, 1]; 1 if there is none."""
    best = sorted(probabilities, reverse=True)[:2]
    return best[0] - best[1] if len(best) == 2 else 1.0
