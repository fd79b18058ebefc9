"""Recommender: what to suggest to somebody, best first, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.recommend.catalogue import Catalogue, Item
from agent.recommend.events import Event
from agent.recommend.model import DEFAULT, DEFAULT_NEW, FEATURES, FEW, Learned, Weighing
from agent.recommend.taste import Interest, Taste, interests, weights
from agent.recommend.wishes import Wishes
from agent.turn import now
from knowledge.diversity import diverse_order

Floats = NDArray[np.float32]

_CANDIDATES = 200  # of each kind of evidence
_DIVERSITY = 0.15
_VECTORS_READ = 200
_REASON_FLOOR = 0.25


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An item with its score (higher is better, its scale is the request's own) and why."""

    item: Item
    score: float
    reason: str

    def as_json(self) -> dict[str, Any]:
        """What is printed and answered."""
        return {
            "id": self.item.id,
            "title": self.item.title,
            "score": round(self.score, 4),
            "reason": self.reason,
            **({"facts": dict(self.item.facts)} if self.item.facts else {}),
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for candidates: `features` (n, F) as `FEATURES` names them, their vectors."""

    items: tuple[str, ...]
    features: Floats


@dataclass(slots=True)
class Recommender:
    """Suggests items of a catalogue.

    Args:
        catalogue: the items.
        learned: what everybody's behaviour taught; without it the items' words decide.
        diversity: in [0, 1], how much likeness to better suggestions costs.
    """

    catalogue: Catalogue
    learned: Learned | None = None
    diversity: float = _DIVERSITY
    _popular: list[str] = field(default_factory=list)

    def recommend(
        self,
        events: Sequence[Event],
        k: int = 10,
        *,
        wishes: Wishes = Wishes(),  # noqa: B008 - frozen
        at: datetime | None = None,
    ) -> list[Suggestion]:
        """Up to `k` suggestions, best first.

        Nothing comes that the person disliked or has dealt with. Somebody of whom nothing is
        known gets what most people like, or a mixture while that was not learned.

        Args:
            events: what the person did, in any order.
            k: how many.
            wishes: what is asked for now.
            at: the present; what was done lately counts more.
        """
        taste = self.taste(events, at or now())
        evidence = self.evidence(taste, wishes)
        if not evidence.items:
            return []
        scores = self._weighing(taste)(evidence.features)
        order = np.argsort(-scores, kind="stable")[: max(4 * k, 20)]
        chosen = self._diverse(evidence, scores, order, k)
        items = self.catalogue.items([evidence.items[row] for row in chosen])
        ranked = [
            (items[evidence.items[r]], float(scores[r]), evidence.features[r]) for r in chosen
        ]
        reasons = self._reasons([item.id for item, _, _ in ranked], taste, wishes)
        return [
            Suggestion(item, score, reasons.get(item.id) or _general(features, wishes))
            for item, score, features in ranked
        ]

    def _weighing(self, taste: Taste) -> Weighing:
        """How to add up the evidence for somebody."""
        if self.learned is None:
            return DEFAULT
        return DEFAULT_NEW if len(taste.liked) <= FEW else self.learned.weighing

    def taste(self, events: Sequence[Event], at: datetime) -> Taste:
        """The person's interests."""
        taste = weights(events, at)
        heaviest = sorted(taste.liked, key=lambda item: -taste.liked[item])[:_VECTORS_READ]
        found = interests(taste.liked, self.catalogue.vectors_of(heaviest))
        return Taste(taste.liked, taste.refused, taste.known, found)

    def evidence(self, taste: Taste, wishes: Wishes) -> Evidence:
        """The candidates of every kind and what speaks for each; nothing known, nothing refused."""
        only = wishes.keys(self.catalogue)
        text = self._by_text(taste.interests, only)
        query = self._by_query(wishes, only)
        behaviour = self._by_behaviour(taste)
        # A wish in words narrows the choice: what others like joins only without one.
        pools = [query] if query else [text, *behaviour.values()]
        allowed = None if only is None else set(self.catalogue.ids_of(only.tolist()).values())
        names = dict.fromkeys(name for pool in pools for name in _best(pool))
        items = tuple(
            name
            for name in names
            if name not in taste.known and (allowed is None or name in allowed)
        )
        if allowed and not items:
            items = tuple(sorted(allowed - taste.known))[:_CANDIDATES]
        if only is None and not names:
            items = self._some(taste)
        columns = (text, query, *behaviour.values())
        features = np.zeros((len(items), len(FEATURES)), dtype=np.float32)
        for column, found in enumerate(columns):
            features[:, column] = _scaled([found.get(name, 0.0) for name in items])
        popular = behaviour.get("popular", {})
        features[:, -1] = [float(bool(popular) and name not in popular) for name in items]
        return Evidence(items, features)

    def _some(self, taste: Taste) -> tuple[str, ...]:
        """Items of every kind for somebody new, while nothing was learned from others either."""
        origin = np.zeros((1, self.catalogue.index.vectors.dimensions), np.float32)
        found = self.catalogue.nearest(origin, _CANDIDATES)[0]
        return tuple(name for name in found if name not in taste.known)

    def _by_text(
        self, found: Sequence[Interest], only: NDArray[np.int64] | None
    ) -> dict[str, float]:
        if not found:
            return {}
        rows = np.stack([interest.vector for interest in found])
        scores: dict[str, float] = {}
        for interest, near in zip(
            found, self.catalogue.nearest(rows, _CANDIDATES, only=only), strict=True
        ):
            for name, cosine in near.items():
                # A small interest counts, too, but less.
                value = cosine * (0.5 + 0.5 * interest.share)
                scores[name] = max(scores.get(name, 0.0), value)
        return scores

    def _by_query(self, wishes: Wishes, only: NDArray[np.int64] | None) -> dict[str, float]:
        vector = wishes.vector(self.catalogue)
        if vector is None:
            return {}
        return self.catalogue.nearest(vector[None, :], _CANDIDATES, only=only)[0]

    def _by_behaviour(self, taste: Taste) -> dict[str, dict[str, float]]:
        """The best items by what others did, under the names of `FEATURES`, in that order."""
        learned = self.learned
        if learned is None:
            return {}
        scores = {
            "factors": learned.factor_scores(taste.liked) if taste.liked else None,
            "neighbours": learned.neighbour_scores(taste.liked) if taste.liked else None,
            "popular": np.sqrt(learned.popularity),
            "together": learned.together_scores(taste.liked),
        }
        return {name: _named(learned, found) for name, found in scores.items()}

    def _diverse(
        self, evidence: Evidence, scores: Floats, order: NDArray[np.intp], k: int
    ) -> list[int]:
        names = [evidence.items[row] for row in order]
        vectors = self.catalogue.vectors_of(names)
        size = next((len(v) for v in vectors.values()), 0)
        kept = [row for row in order.tolist() if evidence.items[row] in vectors]
        if not kept:
            return []
        rows = np.stack([vectors[evidence.items[row]] for row in kept]).reshape(len(kept), size)
        scaled = _scaled([float(scores[row]) for row in kept])
        places = diverse_order(scaled.tolist(), rows, limit=k, diversity=self.diversity)
        return [kept[place] for place in places]

    def _reasons(self, names: Sequence[str], taste: Taste, wishes: Wishes) -> dict[str, str]:
        """For each item what the person liked that is most like it, by its words or by others."""
        if wishes.text:
            return dict.fromkeys(names, f"fits “{wishes.text[:60]}”")
        heavy = sorted(taste.liked, key=lambda item: -taste.liked[item])[:_VECTORS_READ]
        vectors = self.catalogue.vectors_of([*names, *heavy])
        heavy = [item for item in heavy if item in vectors]
        if not heavy:
            return {}
        liked = np.stack([vectors[item] for item in heavy])
        nearest = {
            name: self._because(name, vectors[name], heavy, liked)
            for name in names
            if name in vectors
        }
        titles = self.catalogue.items([item for item in nearest.values() if item])
        return {
            name: f"because you liked {titles[item].title}"
            for name, item in nearest.items()
            if item in titles
        }

    def _because(self, name: str, vector: Floats, heavy: Sequence[str], liked: Floats) -> str:
        likeness = liked @ vector
        learned = self.learned
        if learned is not None and name in learned.rows:
            together = learned.nearness_to(name)
            likeness = likeness + np.array(
                [together.get(item, 0.0) for item in heavy], dtype=np.float32
            )
        best = int(likeness.argmax())
        return heavy[best] if likeness[best] >= _REASON_FLOOR else ""


def _named(learned: Learned, scores: Floats | None) -> dict[str, float]:
    """The best of scores (n,) by the items' names; only what is above 0."""
    if scores is None:
        return {}
    count = min(_CANDIDATES, len(scores))
    if not count:
        return {}
    best = np.argpartition(-scores, count - 1)[:count]
    return {learned.items[row]: float(scores[row]) for row in best if scores[row] > 0}


def _best(pool: Mapping[str, float]) -> list[str]:
    return sorted(pool, key=lambda name: -pool[name])[:_CANDIDATES]


def _scaled(values: Sequence[float]) -> Floats:
    """Values as shares of the largest, in [0, 1] where none is negative."""
    found = np.asarray(values, dtype=np.float32)
    top = float(found.max(initial=0.0))
    return found / top if top > 0 else found


def _general(features: Floats, wishes: Wishes) -> str:
    """A reason where nothing that the person liked gives one."""
    evidence = dict(zip(FEATURES, features.tolist(), strict=True))
    if evidence["factors"] > 0 or evidence["neighbours"] > 0:
        return "people with a similar taste like it"
    if evidence["popular"] > 0:
        return "many people like it"
    return "fits what you asked for" if wishes.facts else "something to begin with"
