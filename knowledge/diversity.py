"""Orders passages so that near repeats of better ones come later."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def diverse_order(
    scores: Sequence[float],
    vectors: npt.NDArray[np.float32],
    *,
    limit: int,
    diversity: float,
) -> list[int]:
    """Places by maximal marginal relevance, at most `limit`.

    The first place stays first: `scores` are in [0, 1] in an order that is trusted at its top.
    Each further one is that with the best score less the cosine with its likest predecessor,
    the latter weighted by `diversity` in [0, 1]. `vectors` are of unit length, float32 (n, D).
    Source: Carbonell and Goldstein 1998.

    >>> same, other = [1.0, 0.0], [0.0, 1.0]
    >>> rows = np.asarray([same, same, other], dtype=np.float32)
    >>> diverse_order([0.9, 0.8, 0.7], rows, limit=3, diversity=0.5)
    [0, 2, 1]
    """
    if not len(scores):
        return []
    relevance = np.asarray(scores, dtype=np.float32) * (1.0 - diversity)
    chosen = [0]
    likeness = vectors @ vectors[0]  # (n,)
    while len(chosen) < min(limit, len(scores)):
        worth = relevance - diversity * likeness
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
        likeness = np.maximum(likeness, vectors @ vectors[chosen[-1]])
    return chosen
