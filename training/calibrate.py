"""Makes a network's numbers honest on held-out messages: temperatures, scope, thresholds."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from agent.project.types import FallbackConfig
from agent.understanding.confidence import class_centres, scope_features, sharpen, softmax
from agent.understanding.labels import ScopeModel
from training.fitted import HeldOut

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# Equal shares of logit and similarity to a class's centre beat any single score on CLINC150 dev
# and on BANKING77's held-out intents, and the nearest single examples in the centre's place.
_SHARES = {"max_logit": 1.0, "centre": 1.0, "contrast": 0.5}
# How steeply `in_scope` falls around the threshold, per standard deviation of the score.
_STEEPNESS = 1.5
# Fewer messages than this cannot place a quantile of a few percent.
_FEWEST = 20
# The share of rightly understood messages that a project's FallbackClassifier may refuse.
_RIGHT_REFUSED = 0.02
_SHARPNESSES = np.arange(1.0, 8.01, 0.25)


def fit_temperature(logits: Floats, targets: Ints) -> float:
    """The temperature in [0.05, 20] with the least loss on rows with a target; 1 without any.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    known = targets >= 0
    rows, gold = logits[known], targets[known]
    if not len(rows) or logits.shape[1] < 2:
        return 1.0

    def loss(log_temperature: float) -> float:
        probabilities = softmax(rows, float(np.exp(log_temperature)))
        right = probabilities[np.arange(len(gold)), gold]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def fit_scope(held: HeldOut, targets: Ints, temperature: float, false_alarms: float) -> ScopeModel:
    """The in-scope score whose value 0.5 flags the share `false_alarms` of in-scope messages.

    Args:
        held: held-out outputs; the rows with a target set the scale.
        targets: (n,) class numbers, -1 = `oos` or unlabelled.
        temperature: the intent head's.
        false_alarms: in (0, 1).
    """
    inside = targets >= 0
    if inside.sum() < _FEWEST or not len(held.known.vectors):
        return ScopeModel()
    names = [n for n in _SHARES if n != "contrast" or len(held.known.outside)]
    return _place(names, features_of(held, targets, temperature), inside, false_alarms)


def features_of(held: HeldOut, targets: Ints, temperature: float) -> Mapping[str, Floats]:
    """The scope features of held-out messages with these class numbers, each (n,)."""
    logits, known = held.logits["intent"], held.known
    centres = class_centres(known.vectors, known.classes, logits.shape[1])
    cosines = held.pooled @ centres.T  # (n, I)
    if held.skip_self:
        _leave_out(cosines, held, targets)
    return scope_features(logits, cosines.max(axis=1), held.pooled, known.outside, temperature)


def _leave_out(cosines: Floats, held: HeldOut, targets: Ints) -> None:
    """Put in each message's cosine to its own class's centre as if it were not part of that."""
    sums = np.zeros((cosines.shape[1], held.pooled.shape[1]), np.float32)
    np.add.at(sums, held.known.classes, held.known.vectors)
    rows = np.flatnonzero(targets >= 0)
    others = sums[targets[rows]] - held.pooled[rows]  # (m, H)
    sizes = np.linalg.norm(others, axis=1)
    own = (others * held.pooled[rows]).sum(axis=1) / np.maximum(sizes, 1e-6)
    cosines[rows, targets[rows]] = np.where(sizes > 1e-3, own, -1.0)


def _place(
    names: Sequence[str],
    features: Mapping[str, Floats],
    inside: NDArray[np.bool_],
    false_alarms: float,
) -> ScopeModel:
    columns = np.stack([features[name][inside] for name in names], axis=1)  # (n, F)
    mean, scale = columns.mean(axis=0), np.maximum(columns.std(axis=0), 1e-6)
    shares = np.array([_SHARES[name] for name in names])
    weights = _STEEPNESS * shares / np.linalg.norm(shares)
    score = ((columns - mean) / scale) @ weights
    return ScopeModel(
        features=tuple(names),
        mean=tuple(float(x) for x in mean),
        scale=tuple(float(x) for x in scale),
        weights=tuple(float(x) for x in weights),
        bias=-float(np.quantile(score, false_alarms)),
    )


def fallback_sharpness(probabilities: Floats, targets: Ints, fallback: FallbackConfig) -> float:
    """How much confidences are sharpened before a project's FallbackClassifier looks at them.

    Its thresholds were chosen on Rasa's DIETClassifier, whose confidence is near 1 for most that
    is in scope, right or wrong; ours say how often they are right. Taken as they are, they would
    send a good part of what is rightly understood to the fallback. The least sharpness of a grid
    from 1 to 8 at which at most `_RIGHT_REFUSED` of the held-out messages that are understood
    rightly fall back; 1 without thresholds or with too few messages.

    Args:
        probabilities: (n, I) of held-out messages' intents, calibrated.
        targets: (n,) intent numbers, -1 = none.
        fallback: the project's thresholds.
    """
    known = targets >= 0
    if fallback.threshold is None or known.sum() < _FEWEST or probabilities.shape[1] < 2:
        return 1.0
    right = probabilities[known][probabilities[known].argmax(axis=1) == targets[known]]
    if not len(right):
        return 1.0
    for sharpness in _SHARPNESSES:
        best = np.sort(sharpen(right, sharpness), axis=1)
        lead = best[:, -1] - best[:, -2]
        refused = (best[:, -1] < fallback.threshold) | (lead < (fallback.ambiguity_threshold or 0))
        if refused.mean() <= _RIGHT_REFUSED:
            return float(sharpness)
    return float(_SHARPNESSES[-1])


def ambiguity_margin(probabilities: Floats, targets: Ints) -> float:
    """The margin between the two best intents below which the better one is right half the time.

    The largest margin m of a grid up to 0.3 such that, among messages whose margin is
    within 0.05 below m, at most half have the right intent on top; 0 if there is none.

    Args:
        probabilities: (n, I) of held-out messages' intents.
        targets: (n,) intent numbers, -1 = none.
    """
    known = targets >= 0
    if known.sum() < _FEWEST or probabilities.shape[1] < 2:
        return 0.0
    best = np.sort(probabilities[known], axis=1)
    gap = best[:, -1] - best[:, -2]
    right = probabilities[known].argmax(axis=1) == targets[known]
    found = 0.0
    for limit in np.arange(0.05, 0.31, 0.05):
        near = (gap >= limit - 0.05) & (gap < limit)
        if near.any() and right[near].mean() <= 0.5:
            found = round(float(limit), 2)
    return found
