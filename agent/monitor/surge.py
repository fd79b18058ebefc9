"""The test for a surge: counts against what `expectation` lets expect of them.

Counts of the last 1, 3 and 7 windows are compared with what the series' own history, with its
seasons, lets expect, and with what the other items beside them let expect. A surge is a sum whose
upper tail probability under the negative binomial law of that mean and variance is below the wanted
rate of false alarms. (Noufaily et al. 2013, "An improved algorithm for outbreak detection in
multiple surveillance systems", use the same law; scanning several lengths finds weak long surges,
too.) The threshold is set by the p-values that the series had so far; see `threshold`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.monitor.expectation import Expectation

# Past p-values below the quantile that make it worth believing, and how far it is followed.
_ENOUGH = 2.0
_MOST = 10.0


@dataclass(frozen=True, slots=True)
class Surge:
    """A count that is too high: `p` in [0, 1] is how likely so many are without a surge."""

    scale: int
    observed: int
    expected: float
    p: float


def surge(
    found: Sequence[Expectation],
    present: int,
    *,
    others: float = 0.0,
    growing: bool = False,
    least: int = 5,
) -> Surge | None:
    """The least likely of the sums that are above their mean, None if there is none.

    Args:
        found: what `expectations` gave.
        present: the count of the present window so far.
        others: the other items of the present window so far.
        growing: whether the present window may still grow; then no fewer others than usual are
            reckoned with.
        least: a sum below this is never a surge.
    """
    worst: Surge | None = None
    for one in found:
        observed = int(one.before + present)
        mean = one.mean_beside(others, growing=growing)
        if observed < least or present == 0 or observed <= mean:
            continue
        # As many chances to be wrong as there are expectations.
        p = min(1.0, len(found) * upper_tail(observed, mean, one.variance(mean)))
        if worst is None or p < worst.p:
            worst = Surge(one.scale, observed, mean, p)
    return worst


def threshold(alpha: float, past: Sequence[float]) -> float:
    """The p-value below which a count is an alarm.

    The law is on the safe side where history is short or full of bursts, and then fewer false
    alarms come than are borne. The p-values that the same series had before show by how much:
    their `alpha` quantile is the threshold, between `alpha` and ten times that, once there are
    enough of them. (Of n values the k-th smallest has the next one below it k times in n + 1.)
    """
    size = len(past)
    if size * alpha < _ENOUGH:
        return alpha
    place = (alpha * (size + 1) - 1) / (size - 1)
    return float(np.clip(np.quantile(past, place), alpha, _MOST * alpha))


def upper_tail(count: int, mean: float, variance: float) -> float:
    """P(N ≥ count) of a negative binomial law; of Poisson's where the variance is no larger."""
    from scipy.special import betainc, gammainc  # loads slowly

    if count <= 0:
        return 1.0
    if variance <= mean * 1.001:
        return float(gammainc(count, mean))
    size = mean * mean / (variance - mean)
    return float(betainc(count, size, 1.0 - mean / variance))
