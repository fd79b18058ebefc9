"""Two models on the same messages: is the difference more than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

_DRAWS = 20_000
_SEED = 20261124
# Jeffreys' prior: half an observation on each side, so that "never seen" is not "impossible".
_PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class Pairs:
    """How two models did on the same n messages; `weights` say how much of the traffic each is.

    `first` and `second` hold, message by message, whether each was right. Without weights all
    count the same.
    """

    first: Sequence[bool] = ()
    second: Sequence[bool] = ()
    weights: Sequence[float] = ()

    def counts(self) -> tuple[float, float, float, float]:
        """Both right, only the first, only the second, neither: in effective messages.

        Weighted messages tell less than as many equal ones; they are scaled to Kish's
        effective sample size (1965), (sum w)^2 / sum w^2.
        """
        if not self.first:
            return 0.0, 0.0, 0.0, 0.0
        a, b = np.array(self.first, dtype=bool), np.array(self.second, dtype=bool)
        w = np.array(self.weights or [1.0] * len(a), dtype=float)
        w = w * (w.sum() / np.square(w).sum())
        cells = (a & b, a & ~b, ~a & b, ~a & ~b)
        both, first, second, neither = (float(w[cell].sum()) for cell in cells)
        return both, first, second, neither


@dataclass(frozen=True, slots=True)
class Gain:
    """How much of the traffic the second model gets right that the first does not.

    `mean`, `low` and `high` are shares in [-1, 1] (`low` to `high` hold 95 % of the belief),
    `p_no_gain` in [0, 1] is how likely it is no better.
    """

    mean: float
    low: float
    high: float
    p_no_gain: float


def traffic_gain(traffic: Pairs, corrected: Pairs) -> Gain:
    """The gain over the traffic, from a sample of it and from corrections beside it.

    Corrections are messages that the first model got wrong, so they flatter every other
    model. They are let speak only of what becomes of the first model's *errors*; how many of
    the messages are such errors, and what the second model breaks among the others, is told
    by the sample: gain = e·g − (1 − e)·l, with e the first model's error rate in the traffic,
    g the share of its errors that the second mends, l the share of its hits that the second
    breaks. Each is a proportion, drawn from its Beta distribution under Jeffreys' prior, which
    is the Bayesian bootstrap (Rubin 1981) of the paired outcomes with a prior.

    Args:
        traffic: messages that stand for the traffic.
        corrected: corrections that neither model was trained on, of any outcome.
    """
    both, broken, mended, neither = traffic.counts()
    _, broken_too, mended_too, neither_too = corrected.counts()
    both_too = corrected.counts()[0]
    random = np.random.default_rng(_SEED)

    def share(hits: float, misses: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return random.beta(hits + _PRIOR, misses + _PRIOR, _DRAWS)

    errors = share(mended + neither, both + broken)
    mends = share(mended + mended_too, neither + neither_too)
    breaks = share(broken + broken_too, both + both_too)
    gains = errors * mends - (1.0 - errors) * breaks
    low, high = np.quantile(gains, [0.025, 0.975])
    return Gain(float(gains.mean()), float(low), float(high), float((gains <= 0).mean()))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """The two-sided exact p-value that two paired lists of hits differ by chance alone.

    Source: McNemar 1947; the exact form is a binomial test on the discordant pairs.

    >>> mcnemar([True] * 6, [False] * 6)
    0.03125
    """
    wins = sum(a and not b for a, b in zip(first, second, strict=True))
    losses = sum(b and not a for a, b in zip(first, second, strict=True))
    n = wins + losses
    tail = sum(comb(n, k) for k in range(min(wins, losses) + 1))
    return float(min(1.0, 2 * tail / 2**n))
