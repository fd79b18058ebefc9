"""Why an intent won: the words that carried it, and the nearest training examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agent.turn import Neighbour
from agent.understanding.runtime import Network

Floats = NDArray[np.float32]
NEAREST = 5
# More parts than this are not looked at one by one: neighbours are left out together.
_PARTS = 48


@dataclass(frozen=True, slots=True)
class Part:
    """Characters `[start:end]` of a text and what they do for an intent.

    `weight` in [-1, 1] is their share in the evidence: above 0 they speak for the intent, below
    0 against it; the shares' amounts sum to 1. `without` in [0, 1] is the intent's probability
    when they are left out.
    """

    text: str
    start: int
    end: int
    weight: float
    without: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the network's best intent won, whatever the memory or a fallback made of it.

    `confidence` in [0, 1] is the network's; `nearest` are training examples, best first.
    """

    intent: str | None
    confidence: float = 0.0
    tokens: tuple[Part, ...] = ()
    nearest: tuple[Neighbour, ...] = ()


def explain(network: Network, text: str) -> Explanation:
    """Occlusion by word (Zeiler and Fergus 2014, section 4.2), in batches, and neighbours.

    Args:
        network: the loaded network.
        text: a message that the network reads.
    """
    spans = _joined(network.words(text))
    base, *others = network.run([text, *(text[:start] + text[end:] for start, end in spans)])
    nearest = find_nearest(network, base.pooled)
    if not len(base.intents):
        return Explanation(None, nearest=nearest)
    best = int(base.intents.argmax())
    without = np.array([other.intents for other in others]).reshape(len(spans), -1)  # (P, I)
    falls = _log_odds(base.intents[None], best) - _log_odds(without, best)  # (P,)
    shares = falls / max(float(np.abs(falls).sum()), 1e-9)
    parts = tuple(
        Part(text[start:end], start, end, float(share), float(row[best]))
        for (start, end), share, row in zip(spans, shares, without, strict=True)
    )
    return Explanation(network.spec.intents[best], float(base.intents[best]), parts, nearest)


def _log_odds(probabilities: Floats, column: int) -> Floats:
    """The logarithm of a column's odds against all others, (n, C) to (n,).

    A probability that rounds to 1 still differs from others by what is left for the rest.
    """
    if probabilities.shape[1] == 1:  # a single intent has nothing against it
        return np.zeros(len(probabilities), np.float32)
    rest = np.delete(probabilities, column, axis=1).sum(axis=1, dtype=np.float64)
    result: Floats = np.log(np.maximum(probabilities[:, column], 1e-30) / np.maximum(rest, 1e-30))
    return result


def find_nearest(network: Network, vector: Floats, limit: int = NEAREST) -> tuple[Neighbour, ...]:
    """The training examples most similar to a unit vector (H,), best first."""
    examples = network.examples
    if not examples.texts:
        return ()
    cosines = examples.vectors @ vector
    rows = np.argsort(-cosines, kind="stable")[:limit]
    return tuple(
        Neighbour("", examples.texts[i], str(examples.intents[i]) or None, float(cosines[i]))
        for i in rows
    )


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most `_PARTS` spans, each of as many neighbours as that takes."""
    if len(spans) <= _PARTS:
        return list(spans)
    edges = np.linspace(0, len(spans), _PARTS + 1).round().astype(int)
    return [(spans[first][0], spans[last - 1][1]) for first, last in pairwise(edges)]
