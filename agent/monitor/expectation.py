"""What a series' own history, and the other items of the window, let expect of a window's count.

The expected count of a window is a level, an exponentially weighted mean of the past, times factors
for the hour of the day and the day of the week, each shrunk towards 1 where there is little to
learn it from. Sums of counts vary more than a Poisson law says (news breeds news): their variance
is measured on sums of the same length in the history, so that neighbours which move together are
allowed for, and the uncertainty of the level is added.

Much of that variance is days on which there is more of everything. So, where the other items of the
series are counted, too, each length is looked at a second time, with what is left when the count
follows them: the expected count is multiplied by (others / usual others) ** b, where b is fitted to
the history (Poisson regression, drawn towards 0: not at all).
"""

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
# Other items that are always reckoned with: none at all must not make a count impossible.
_SOME = 1.0
_STEPS = 8


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one scale, the sum of that many windows up to the present one, lets expect.

    `before` is the count of its windows before the present one, `due_before` what was due in
    them, `due` what is due in the present one at its `usual` number of other items; with
    `follows` above 0 more others make more due. `linear` and `square` give the variance's growth
    with the mean and its square, `doubt` a factor of it.
    """

    scale: int
    before: float
    due_before: float
    due: float
    linear: float
    square: float
    doubt: float
    usual: float = 0.0
    follows: float = 0.0

    @property
    def mean(self) -> float:
        """The expected sum, the present window included, at its usual number of other items."""
        return self.due_before + self.due

    def mean_beside(self, others: float, *, growing: bool = False) -> float:
        """The expected sum beside `others`; the present window may be `growing` still."""
        seen = max(others, self.usual) if growing else others
        relative = (seen + _SOME) / (self.usual + _SOME)
        return self.due_before + self.due * float(relative**self.follows)

    def variance(self, mean: float) -> float:
        """The larger of two laws: proportional to the mean, and growing with its square."""
        return self.doubt * max(mean, self.linear * mean, mean + self.square * mean**2)


def expectations(
    history: Floats,
    start: int,
    width_s: int,
    *,
    skip: NDArray[np.bool_] | None = None,
    others: Floats | None = None,
    told: NDArray[np.bool_] | None = None,
) -> list[Expectation]:
    """What the next window and those just before it should hold, one value a scale.

    Args:
        history: counts (n,) of the windows before the next one, oldest first.
        start: the first window's start, seconds since 1970.
        width_s: a window's length.
        skip: windows (n,) that teach nothing, because an alarm covers them.
        others: counts (n,) of the other items in these windows; with them each scale comes
            twice, the second time as what follows them.
        told: windows (n,) that an alarm was raised for: what was too much in them is known, and
            their counts are no more than what was due.
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
    expected = _expected(history, weights, start, width_s)
    found = [_at_scale(history, expected, weights, scale, told) for scale in SCALES]
    if others is None or not others.any():
        return found
    usual = _expected(others, weights, start, width_s)
    logs = np.log((others + _SOME) / (usual[:-1] + _SOME))
    follows = _following(history[:past], expected[:past], logs[:past], weights)
    beside = expected * np.append(np.exp(follows * logs), 1.0)
    beside *= (float(weights @ history[:past]) + 0.5) / float(weights @ beside[:past])
    beyond = float(usual[-1])
    return found + [
        _at_scale(history, beside, weights, scale, told, usual=beyond, follows=follows)
        for scale in SCALES
    ]


def _expected(counts: Floats, weights: Floats, start: int, width_s: int) -> Floats:
    """What is due (n + 1,) in each window of counts (n,) and in the next one."""
    past = len(weights)
    shape = _season(counts[:past], weights, start, width_s, len(counts) + 1)
    # Half an event more than was seen: nothing seen yet does not mean that nothing can come.
    return shape * (float(weights @ counts[:past]) + 0.5) / float(weights @ shape[:past])


def _following(counts: Floats, expected: Floats, logs: Floats, weights: Floats) -> float:
    """The exponent in [0, 1] with which counts follow the other items (their logs, relative)."""
    found = 0.0
    for _ in range(_STEPS):
        due = expected * np.exp(found * logs)
        due *= float(weights @ counts) / max(float(weights @ due), 1e-9)
        slope = float(weights @ ((counts - due) * logs)) - found
        found = min(1.0, max(0.0, found + slope / (float(weights @ (due * logs**2)) + 1.0)))
    return found


def _at_scale(
    history: Floats,
    expected: Floats,
    weights: Floats,
    scale: int,
    told: NDArray[np.bool_] | None,
    *,
    usual: float = 0.0,
    follows: float = 0.0,
) -> Expectation:
    """The sum over `scale` windows that end with the present one."""
    news = history if told is None else np.where(told, np.minimum(history, expected[:-1]), history)
    past = len(weights)
    box = np.ones(scale)
    sums = np.convolve(history[:past], box, "valid")
    means = np.maximum(np.convolve(expected[:past], box, "valid"), 0.05)
    kept = np.convolve((weights > 0).astype(float), box, "valid") == scale
    linear, square = _spread((sums - means) ** 2, means, np.where(kept, weights[scale - 1 :], 0.0))
    effective = float(weights.sum() ** 2 / (weights @ weights))
    # The factors were fitted to these very counts, the level is a mean of few sums, and so is
    # the variance: where there is little history its upper limit counts (95 %, normal counts).
    fitted = 1 / (1 - min(0.5, _DAYS / effective))
    limit = 1 + _UPPER * (2 / effective) ** 0.5
    return Expectation(
        scale=scale,
        before=float(news[len(news) - scale + 1 :].sum()),
        due_before=float(expected[len(expected) - scale : -1].sum()),
        due=float(expected[-1]),
        linear=linear,
        square=square,
        doubt=(1 + scale / effective) * fitted * limit,
        usual=usual,
        follows=follows,
    )


def _spread(squares: Floats, means: Floats, share: Floats) -> tuple[float, float]:
    """How the variance grows with the mean, and with its square."""
    if not share.any():
        return 1.0, 0.0
    share = share / share.sum()
    linear = float(share @ (squares / means))
    return linear, float(share @ (squares - means)) / float(share @ means**2)


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
