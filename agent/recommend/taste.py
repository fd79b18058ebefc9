"""What somebody likes: a few interests, each a direction among the items, recent ones stronger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from agent.recommend.events import Event

Vectors = NDArray[np.float32]

HALF_LIFE_DAYS = 60.0
HALF_LIFE_ITEMS = 15.0
INTERESTS = 5
# An item joins an interest that it is at least so like (cosine).
_ALIKE = 0.5
_READ = 200
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Interest:
    """A direction (H,) of unit length, its share in [0, 1] of the person's interest, its items."""

    vector: Vectors
    share: float
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taste:
    """What somebody did, read for suggesting.

    `liked` maps items to weights > 0, `refused` are those that must not come again, `known`
    all that the person has dealt with.
    """

    liked: Mapping[str, float]
    refused: frozenset[str]
    known: frozenset[str]
    interests: tuple[Interest, ...] = ()


def weights(events: Sequence[Event], at: datetime) -> Taste:
    """The weights of items: what was done, fading with its age and with what was liked since.

    A liking is halved every `HALF_LIFE_DAYS`, and by every `HALF_LIFE_ITEMS` later ones. The last
    word counts: an item that was disliked is refused until it is liked again.
    """
    liked: dict[str, float] = {}
    refused: dict[str, bool] = {}
    for event in sorted(events, key=lambda e: e.at):
        age = max(0.0, (at - event.at).total_seconds() / _DAY_S)
        weight = event.weight * 0.5 ** (age / HALF_LIFE_DAYS)
        if event.weight < 0:
            refused[event.item] = True
            liked.pop(event.item, None)
        else:
            if event.kind != "view":
                refused.pop(event.item, None)
            # Old likings fade, but never so far that a newcomer's view outweighs them all.
            strongest = max(liked.pop(event.item, 0.0), weight, 1e-4 * event.weight)
            liked[event.item] = strongest
    kept = [(item, weight) for item, weight in liked.items() if weight > 0 and item not in refused]
    faded = {
        item: weight * 0.5 ** (later / HALF_LIFE_ITEMS)
        for later, (item, weight) in enumerate(reversed(kept))
    }
    return Taste(faded, frozenset(refused), frozenset(liked) | frozenset(refused))


def interests(liked: Mapping[str, float], vectors: Mapping[str, Vectors]) -> tuple[Interest, ...]:
    """Up to `INTERESTS` groups of liked items that are alike, the strongest first.

    Items are taken heaviest first; each joins the likest group, or founds one.
    """
    ordered = sorted((i for i in liked if i in vectors), key=lambda i: -liked[i])[:_READ]
    groups: list[list[str]] = []
    sums: list[Vectors] = []
    for item in ordered:
        vector = vectors[item]
        likeness = [float(vector @ s / np.linalg.norm(s)) for s in sums]
        best = int(np.argmax(likeness)) if likeness else -1
        if best >= 0 and (likeness[best] >= _ALIKE or len(groups) >= INTERESTS):
            groups[best].append(item)
            sums[best] = sums[best] + liked[item] * vector
        else:
            groups.append([item])
            sums.append(liked[item] * vector)
    total = sum(liked[item] for item in ordered) or 1.0
    found = [
        Interest(
            (s / np.linalg.norm(s)).astype(np.float32),
            sum(liked[item] for item in group) / total,
            tuple(group),
        )
        for group, s in zip(groups, sums, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.share))
