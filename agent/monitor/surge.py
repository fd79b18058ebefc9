"""The test for a surge: counts against the same series' own history, with its seasons.

Counts of the last 1, 3 and 7 windows are compared with what the history lets expect. The
expected count of a window is a level, an exponentially weighted mean of the past, times factors
for the hour of the day and the day of the week, each shrunk towards 1 where there is little to
learn it from. Sums of counts vary more than a Poisson law says (news breeds news): their variance
is measured on sums of the same length in the history, so that neighbours which move together are
allowed for, and the uncertainty of the level is added. A surge is a sum whose upper tail
probability under the negative binomial law of that mean and variance is below the wanted rate of
false alarms. (Noufaily et al. 2013, "An improved algorithm for outbreak detection in multiple
surveillance systems", use the same law; scanning several lengths finds weak long surges, too.)
The threshold is set by the p-values that the series had so far; see `threshold`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.monitor.windows import DAY_S, HOUR_S, WEEK_S

Floats = NDArray[np.float64]

SCALES = (1, 3, 7)
_HALF_LIFE_S = 8 * WEEK_S
_UPPER = 1.64
# A factor of the season trusts its own data as much as the level once this much was expected.
_SHRINK = 10.0
_DAYS = 7
# Past p-values below the quantile that make it worth believing, and how far it is followed.
_ENOUGH = 2.0
_MOST = 10.0


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one scale lets expect: `before` is the count of its windows before the present one.

    `mean` and `variance` are of the whole sum, the present window included.
    """

    scale: int
    before: float
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Surge:
    """A count that is too high: `p` in [0, 1] is how likely so many are without a surge."""

    scale: int
    observed: int
    expected: float
    p: float


def expectations(
    history: Floats, start: int, width_s: int, *, skip: NDArray[np.bool_] | None = None
) -> list[Expectation]:
    """What the next window and those just before it should hold, one value a scale.

    Args:
        history: counts (n,) of the windows before the next one, oldest first.
        start: the first window's start, seconds since 1970.
        width_s: a window's length.
        skip: windows (n,) that teach nothing, because an alarm covers them.
    """
    guard = max(SCALES) - 1
    past = len(history) - guard
    if past < 2 * max(SCALES):
        return []
    weights = 0.5 ** (np.arange(past)[::-1] * width_s / _HALF_LIFE_S)
    if skip is not None:
        weights = weights * ~skip[:past]
    if not weights.any():
        return []
    shape = _season(history[:past], weights, start, width_s, len(history) + 1)
    # Half an event more than was seen: nothing seen yet does not mean that nothing can come.
    level = (float(weights @ history[:past]) + 0.5) / float(weights @ shape[:past])
    expected = level * shape
    return [_at_scale(history, expected, weights, scale) for scale in SCALES]


def surge(found: Sequence[Expectation], present: int, *, least: int = 5) -> Surge | None:
    """The least likely of the sums that are above their mean, None if there is none.

    Args:
        found: what `expectations` gave.
        present: the count of the present window so far; it may still grow.
        least: a sum below this is never a surge.
    """
    worst: Surge | None = None
    for one in found:
        observed = int(one.before + present)
        if observed < least or present == 0 or observed <= one.mean:
            continue
        # As many chances to be wrong as there are lengths.
        p = min(1.0, len(found) * upper_tail(observed, one.mean, one.variance))
        if worst is None or p < worst.p:
            worst = Surge(one.scale, observed, one.mean, p)
    return worst


def threshold(alpha: float, past: Sequence[float]) -> float:
    """The p-value below which a count is an alarm.

    The law is on the safe side where history is short or full of bursts, and then fewer false
    alarms come than are borne. The p-values that the same series had before show by how much:
    their `alpha` quantile is the threshold, between `alpha` and ten times that, once there are
    enough of them.
    """
    if len(past) * alpha < _ENOUGH:
        return alpha
    return float(np.clip(np.quantile(past, alpha), alpha, _MOST * alpha))


def upper_tail(count: int, mean: float, variance: float) -> float:
    """P(N ≥ count) of a negative binomial law; of Poisson's where the variance is no larger."""
    from scipy.special import betainc, gammainc  # loads slowly

    if count <= 0:
        return 1.0
    if variance <= mean * 1.001:
        return float(gammainc(count, mean))
    size = mean * mean / (variance - mean)
    return float(betainc(count, size, 1.0 - mean / variance))


def _at_scale(history: Floats, expected: Floats, weights: Floats, scale: int) -> Expectation:
    """The sum over `scale` windows that end with the present one."""
    past = len(weights)
    before = float(history[len(history) - scale + 1 :].sum())
    mean = float(expected[len(expected) - scale :].sum())
    box = np.ones(scale)
    sums = np.convolve(history[:past], box, "valid")
    means = np.maximum(np.convolve(expected[:past], box, "valid"), 0.05)
    kept = np.convolve((weights > 0).astype(float), box, "valid") == scale
    share = np.where(kept, weights[scale - 1 :], 0.0)
    variance = _variance(mean, (sums - means) ** 2, means, share)
    effective = float(weights.sum() ** 2 / (weights @ weights))
    # The factors were fitted to these very counts, the level is a mean of few sums, and so is
    # the variance: where there is little history its upper limit counts (95 %, normal counts).
    fitted = 1 / (1 - min(0.5, _DAYS / effective))
    limit = 1 + _UPPER * (2 / effective) ** 0.5
    return Expectation(scale, before, mean, variance * (1 + scale / effective) * fitted * limit)


def _variance(mean: float, squares: Floats, means: Floats, share: Floats) -> float:
    """The larger of two laws, variance proportional to the mean, and growing with its square."""
    if not share.any():
        return mean
    share = share / share.sum()
    linear = float(share @ (squares / means))
    square = float(share @ (squares - means)) / float(share @ means**2)
    return max(mean, linear * mean, mean + square * mean**2)


def _season(counts: Floats, weights: Floats, start: int, width_s: int, total: int) -> Floats:
    """Factors (total,) around 1 for each window: hour of the day times day of the week."""
    starts = start + np.arange(total) * width_s
    shape = np.ones(total)
    rate = float(weights @ counts) / float(weights.sum())
    slots = []
    if width_s < DAY_S:
        slots.append(starts % DAY_S // max(width_s, HOUR_S))
    if width_s <= DAY_S:
        slots.append((starts // DAY_S + 3) % _DAYS)  # 1970-01-01 was a Thursday
    for slot in slots:
        seen = np.bincount(slot[: len(counts)], weights * counts, slot.max() + 1)
        expected = np.bincount(
            slot[: len(counts)], weights * rate * shape[: len(counts)], slot.max() + 1
        )
        shape = shape * ((seen + _SHRINK) / (expected + _SHRINK))[slot]
    return shape
