"""The best tag sequence of a text that is valid: in which every I follows a B or I of its type."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.understanding.transitions import FORBIDDEN

Floats = NDArray[np.float32]
OUTSIDE = 0
# A tag whose log probability is nowhere higher is no part of a text's best sequence.
_HOPELESS = -6.0


def best_tags(scores: Floats) -> list[int]:
    """The tag sequence of highest total score in which every I follows a B or I of its type.

    Args:
        scores: (U, L) log probabilities, columns O, B-0, I-0, B-1, I-1, ….

    Source: Viterbi's algorithm; an I tag has two predecessors and every other tag may
    follow anything, so that a step costs O(L) instead of O(L^2).
    """
    greedy: list[int] = scores.argmax(axis=1).tolist()
    if is_valid(greedy):
        return greedy
    steps, size = scores.shape
    insides = np.arange(2, size, 2)
    total = scores[0].copy()
    total[insides] = FORBIDDEN
    back = np.zeros((steps, size), dtype=np.int64)
    for step in range(1, steps):
        previous = np.full(size, int(total.argmax()))
        from_begin = total[insides - 1] >= total[insides]
        previous[insides] = np.where(from_begin, insides - 1, insides)
        back[step] = previous
        total = total[previous] + scores[step]
    tags = [int(total.argmax())]
    for step in range(steps - 1, 0, -1):
        tags.append(int(back[step, tags[-1]]))
    return tags[::-1]


def likeliest_tags(scores: Floats, follows: Floats) -> list[int]:
    """The tag sequence of highest total score, steps from tag to tag counted in.

    Args:
        scores: (U, L) log probabilities, columns O, B-0, I-0, B-1, I-1, ….
        follows: (L, L) what each step adds, from the row's tag to the column's.

    Source: Viterbi's algorithm, among the few tags that come into question.
    """
    tags = _in_question(scores)  # (A,)
    own, steps = scores[:, tags], follows[tags[:, None], tags].T  # steps: after, before
    greedy: list[int] = tags[own.argmax(axis=1)].tolist()
    if is_valid(greedy) and _is_sure(own, steps):
        return greedy
    total = np.where((tags > 0) & (tags % 2 == 0), FORBIDDEN, own[0])
    back = []
    for row in own[1:]:
        reached = steps + total  # (A, A)
        back.append(reached.argmax(axis=1))
        total = reached.max(axis=1) + row
    path = [int(total.argmax())]
    for best in reversed(back):
        path.append(int(best[path[-1]]))
    found: list[int] = tags[path[::-1]].tolist()
    return found


def _is_sure(own: Floats, steps: Floats) -> bool:
    """Whether each unit (U, A) prefers its tag by more than steps (A, A) can make good.

    With m units in a row changed, m + 1 steps change, which is no more than twice m.
    """
    if own.shape[1] == 1:
        return True
    best = np.partition(own, -2, axis=1)[:, -2:]  # second best, best
    allowed = steps[steps > FORBIDDEN / 2]
    return bool((best[:, 1] - best[:, 0]).min() > 2 * (allowed.max() - allowed.min()))


def _in_question(scores: Floats) -> NDArray[np.int64]:
    """The tags that a text may have: O, those not hopeless, and the B of each such I."""
    wanted = scores.max(axis=0) > _HOPELESS
    wanted[OUTSIDE] = True
    wanted[1::2] |= wanted[2::2]
    return np.flatnonzero(wanted)


def is_valid(tags: Sequence[int]) -> bool:
    """Whether every I tag follows a B or an I of its own type.

    >>> is_valid([0, 1, 2, 0]), is_valid([0, 2]), is_valid([1, 4])
    (True, False, False)
    """
    before = OUTSIDE
    for tag in tags:
        if tag and tag % 2 == 0 and before not in (tag, tag - 1):
            return False
        before = tag
    return True
