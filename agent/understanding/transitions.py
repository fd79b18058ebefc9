"""How tags follow each other in the training data: a second opinion on where a span ends."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Given to a step that no valid tag sequence takes.
FORBIDDEN = -1e9
# So many steps from each tag are taken to have led wherever tags stand anyhow.
_PRIOR = 5.0


@dataclass(frozen=True, slots=True)
class Transitions:
    """What was counted: each tag (L,), and each (tag, tag after it, how often).

    `weight` (>= 0) is how much that counts beside the network's own scores, 1 = as much.
    """

    counts: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int, int], ...] = ()
    weight: float = 0.0


NO_TRANSITIONS = Transitions()


def count_transitions(rows: Iterable[Sequence[int]], size: int, weight: float) -> Transitions:
    """The counts of texts' tags, numbered as in `bio.encode_spans`; `size` is how many there are.

    >>> count_transitions([[0, 1, 2], [0, 0]], 3, 0.5)
    Transitions(counts=(3, 1, 1), pairs=((0, 0, 1), (0, 1, 1), (1, 2, 1)), weight=0.5)
    """
    counts, pairs = Counter[int](), Counter[tuple[int, int]]()
    for tags in rows:
        counts.update(tags)
        pairs.update(pairwise(tags))
    found = sorted((before, after, count) for (before, after), count in pairs.items())
    return Transitions(tuple(counts[tag] for tag in range(size)), tuple(found), weight)


def follow_scores(transitions: Transitions) -> Floats | None:
    """What a step from one tag to the next adds to a sequence's score (L, L); None if not counted.

    The logarithm of how much likelier a tag is after another one than anywhere, weighted;
    `FORBIDDEN` where an I tag does not follow a B or I of its type.
    """
    size = len(transitions.counts)
    if not size:
        return None
    steps = np.zeros((size, size))
    for before, after, count in transitions.pairs:
        steps[before, after] = count
    anywhere = np.array(transitions.counts) + 1.0
    anywhere /= anywhere.sum()
    after = (steps + _PRIOR * anywhere) / (steps.sum(axis=1, keepdims=True) + _PRIOR)
    scores = transitions.weight * np.log(after / anywhere)
    insides = np.arange(2, size, 2)
    allowed = scores[insides, insides], scores[insides - 1, insides]
    scores[:, insides] = FORBIDDEN
    scores[insides, insides], scores[insides - 1, insides] = allowed
    result: Floats = scores.astype(np.float32)
    return result
