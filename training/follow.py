"""The numbers of a network that went on from an earlier one, made honest beside that one.

Both know by heart the messages that could be held out, so that these say nothing of new messages.
But the earlier network was calibrated on some that it did not know: as sure as it is of those that
it has learned since, so sure may the new one be.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from agent.understanding.confidence import softmax
from agent.understanding.labels import ScopeModel, Spec, save_spec
from agent.understanding.runtime import Network
from training.corpus import stable_order
from training.fitted import output_name

Floats = NDArray[np.float32]

# Fewer messages than this tell nothing; more take longer without telling more.
_FEWEST, _MOST = 20, 600


def follow_calibration(folder: Path, earlier: Path) -> Spec:
    """Calibrate a written model by the one that it went on from; gives what it wrote.

    Temperatures are chosen so that on messages that both were taught the mean confidence is the
    earlier model's, the in-scope score so that its parts lie there as theirs did; thresholds
    stay. Nothing changes where the two have fewer than 20 such messages.

    Raises:
        ModelError: a folder cannot be used.
    """
    new, old = Network.load(folder), Network.load(earlier)
    texts = sorted(set(new.examples.texts) & set(old.examples.texts), key=stable_order)[:_MOST]
    if len(texts) < _FEWEST:
        return new.spec
    before, after = old.outputs(texts), new.outputs(texts)
    heats = {
        output: _as_sure(before[name] / old.spec.temperature(output), after[name])
        for output, name in ((o, output_name(o)) for o in new.spec.temperatures)
        if name in before and name in after
    }
    limits = replace(
        new.spec.thresholds,
        ambiguity=old.spec.thresholds.ambiguity,
        sharpness=old.spec.thresholds.sharpness,
    )
    new.spec = replace(
        new.spec,
        temperatures={**new.spec.temperatures, **heats},
        thresholds=limits,
        scope=old.spec.scope,
    )
    if old.spec.scope.features:
        scope = _spread_alike(old.spec.scope, old.scope_features(before), new.scope_features(after))
        new.spec = replace(new.spec, scope=scope)
    save_spec(new.spec, folder)
    return new.spec


def _as_sure(before: Floats, after: Floats) -> float:
    """The temperature in [0.05, 20] of logits (n, C) with the mean confidence of others (n, B)."""
    wanted = float(softmax(before).max(axis=1).mean())

    def gap(log_temperature: float) -> float:
        confidences = softmax(after, float(np.exp(log_temperature))).max(axis=1)
        return abs(float(confidences.mean()) - wanted)

    found = minimize_scalar(gap, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def _spread_alike(
    scope: ScopeModel, before: Mapping[str, Floats], after: Mapping[str, Floats]
) -> ScopeModel:
    """The scope model for which features `after` (n,) lie as those of `before` (n,) do for `scope`.

    By their median and lowest tenth: what is refused lies below.
    """
    means, scales = [], []
    for name, mean, scale in zip(scope.features, scope.mean, scope.scale, strict=True):
        (old_low, old_middle), (low, middle) = (
            np.quantile(part[name], (0.1, 0.5)) for part in (before, after)
        )
        wider = (middle - low) / max(old_middle - old_low, 1e-6)
        means.append(float(middle - (old_middle - mean) * wider))
        scales.append(max(float(scale * wider), 1e-6))
    return replace(scope, mean=tuple(means), scale=tuple(scales))
