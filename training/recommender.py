"""Learns from everybody's behaviour what to suggest; it serves only if it suggests better."""

import asyncio
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.recommend.catalogue import Catalogue, sync_items
from agent.recommend.events import Event
from agent.recommend.model import DEFAULT, FEATURES, Learned, Weighing
from agent.recommend.recommender import Evidence, Recommender
from agent.recommend.shelf import current_version, publish
from agent.recommend.taste import weights
from agent.recommend.wishes import Wishes
from agent.settings import Settings
from agent.storage.behaviour import Behaviour
from agent.storage.opening import open_store
from training.errors import DataError

Floats = NDArray[np.float32]

Profiles = Mapping[str, Sequence[Event]]

_NOTHING = Wishes()
_LIKED = 0.5
_TOP = 10
# Below this many likings of items that several people like, others' taste teaches nothing.
ENOUGH = 200
_HELD_OUT = 0.1
_PEOPLE = 400


@dataclass(frozen=True, slots=True)
class Recipe:
    """How implicit ALS and the item neighbours are fitted; chosen on MovieLens' dev likings."""

    factors: int = 32
    iterations: int = 15
    regularization: float = 5.0
    alpha: float = 2.0
    neighbours: int = 60
    partners: int = 100
    prior: float = 10.0  # people of common taste that `Learned.together_scores` adds
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """What a person had done, and the new items that they liked after it."""

    before: Sequence[Event]
    wanted: frozenset[str]

    @property
    def at(self) -> datetime:
        """The time of the last thing that they had done."""
        return max(event.at for event in self.before)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a round of learning decided; the figures are nDCG@10 in [0, 1] on held-out likings."""

    decision: str
    reason: str
    challenger: float | None = None
    champion: float | None = None
    people: int = 0
    events: int = 0

    def as_json(self) -> dict[str, Any]:
        """What is printed."""
        return {name: getattr(self, name) for name in self.__slots__}


def learn_from_behaviour(root: Path, settings: Settings) -> Decision:
    """Learn from what the project's store holds; see `learn_recommender`.

    Raises:
        AgentError: there are no items, or the store cannot be reached.
    """
    sync_items(root, settings.knowledge.encoder)

    async def read() -> dict[str, list[Event]]:
        async with await open_store(root, settings.store) as store:
            behaviour = Behaviour(store.connection, store.keys)
            return {e[0].user: e async for e in behaviour.everyone() if e}

    return learn_recommender(root, asyncio.run(read()))


def learn_recommender(
    root: Path,
    profiles: Profiles,
    recipe: Recipe = Recipe(),
) -> Decision:
    """Fit a challenger, measure it on everybody's latest likings against the champion.

    The last tenth of what each person did is held out, as far as the champion has not seen it:
    what they liked then must be ranked from what they had done before. What wins is fitted again
    on everything and serves.

    Raises:
        AgentError: there are no items.
    """
    catalogue = Catalogue.open(root)
    try:
        return _learn(root, catalogue, profiles, recipe)
    finally:
        catalogue.close()


def _learn(root: Path, catalogue: Catalogue, profiles: Profiles, recipe: Recipe) -> Decision:
    events = sum(len(found) for found in profiles.values())
    if sum(event.weight > 0 for found in profiles.values() for event in found) < ENOUGH:
        return Decision("nothing to learn", f"fewer than {ENOUGH} likings are known")
    version = current_version(root)
    champion = Learned.load(version) if version is not None else None
    before, cases = split(profiles, after=champion.seen_until if champion else None)
    if not cases:
        return Decision("nothing to learn", "nobody liked anything new lately")
    challenger = weighed(catalogue, before, recipe)
    ours = ndcg(Recommender(catalogue, challenger), cases)
    theirs = ndcg(Recommender(catalogue, champion), cases)
    figures = Decision("", "", round(ours, 4), round(theirs, 4), len(cases), events)
    if ours <= theirs:
        reason = f"nDCG@10 {ours:.4f} is no better than {theirs:.4f}"
        return replace(figures, decision="kept", reason=reason)
    publish(root, fit(profiles, recipe, weighing=challenger.weighing))
    reason = f"nDCG@10 {ours:.4f} against {theirs:.4f}"
    return replace(figures, decision="promoted", reason=reason)


def fit(
    profiles: Profiles,
    recipe: Recipe = Recipe(),
    *,
    weighing: Weighing = DEFAULT,
) -> Learned:
    """Item factors, neighbours and popularity from likings; see `Learned`.

    Raises:
        DataError: nobody liked anything.
    """
    items, matrix = _matrix(profiles)
    factors, similarity = _fitted(matrix, recipe)
    neighbours, nearness = _neighbours(similarity, recipe.neighbours)
    arrays: dict[str, NDArray[Any]] = {
        "factors": factors,
        "neighbours": neighbours,
        "nearness": nearness,
        "popularity": np.asarray((matrix > 0).mean(axis=0), dtype=np.float32).ravel(),
        **_partners(matrix, recipe),
    }
    return Learned(
        items,
        arrays,
        alpha=recipe.alpha,
        regularization=recipe.regularization,
        weighing=weighing,
        seen_until=max(event.at for events in profiles.values() for event in events),
    )


def _fitted(matrix: Any, recipe: Recipe) -> tuple[Floats, Any]:
    """Item factors (n, f), and how like items are (sparse), of likings (people, items)."""
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender
    from threadpoolctl import threadpool_limits

    near = CosineRecommender(K=recipe.neighbours + 1)
    # The library's threads would fight with those of the linear algebra below it, and it warns
    # of conversions that it makes itself.
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        als = AlternatingLeastSquares(
            factors=min(recipe.factors, max(2, min(matrix.shape) - 1)),
            regularization=recipe.regularization,
            alpha=recipe.alpha,
            iterations=recipe.iterations,
            random_state=recipe.seed,
        )
        als.fit(matrix, show_progress=False)
        near.fit((matrix > 0).astype(np.float32).tocsr(), show_progress=False)
    return np.asarray(als.item_factors, dtype=np.float32), near.similarity


def weighed(catalogue: Catalogue, profiles: Profiles, recipe: Recipe) -> Learned:
    """A model whose evidence is weighed by what people liked next.

    The last tenth of what each person did teaches the weights, on a model of the rest; then the
    model is fitted on all of it.
    """
    before, cases = split(profiles)
    if not cases:
        return fit(profiles, recipe)
    earlier = fit(before, recipe)
    weighing = _fit_weights(Recommender(catalogue, earlier), cases)
    return fit(profiles, recipe, weighing=weighing)


def split(
    profiles: Profiles, share: float = _HELD_OUT, after: datetime | None = None
) -> tuple[dict[str, list[Event]], list[Case]]:
    """What each person did before the last `share` in (0, 1) of it, and the cases of the rest.

    Only what was done later than `after` makes a case.
    """
    before: dict[str, list[Event]] = {}
    cases = []
    for user, events in profiles.items():
        ordered = sorted(events, key=lambda event: event.at)
        count = len(ordered) - round(share * len(ordered))
        if after is not None:
            count = max(count, sum(event.at <= after for event in ordered))
        before[user] = ordered[:count]
        known = {event.item for event in before[user]}
        wanted = {e.item for e in ordered[count:] if e.weight >= _LIKED} - known
        if known and wanted:
            cases.append(Case(before[user], frozenset(wanted)))
    return before, cases


def ndcg(recommender: Recommender, cases: Sequence[Case]) -> float:
    """Mean nDCG@10 of suggestions in [0, 1]; of at most 400 people, evenly chosen."""
    scores = []
    for case in _some(cases):
        suggested = recommender.recommend(case.before, _TOP, at=case.at)
        found = [one.item.id for one in suggested]
        gains = [1 / np.log2(at + 2) for at, name in enumerate(found) if name in case.wanted]
        best = sum(1 / np.log2(at + 2) for at in range(min(_TOP, len(case.wanted))))
        scores.append(sum(gains) / best)
    return float(np.mean(scores)) if scores else 0.0


def _some(cases: Sequence[Case]) -> Sequence[Case]:
    return cases[:: max(1, len(cases) // _PEOPLE)]


def _fit_weights(recommender: Recommender, cases: Sequence[Case]) -> Weighing:
    """Weights of the features, by logistic regression of what was liked among the candidates.

    The usual ones stay where there is nothing to learn from.
    """
    from sklearn.linear_model import LogisticRegression

    rows: list[Evidence] = []
    labels: list[Floats] = []
    for case in _some(cases):
        evidence = recommender.evidence(recommender.taste(case.before, case.at), _NOTHING)
        hits = np.array([name in case.wanted for name in evidence.items], dtype=np.float32)
        if 0 < hits.sum() < len(hits):
            rows.append(evidence)
            labels.append(hits)
    if not rows:
        return DEFAULT
    features = np.concatenate([one.features for one in rows])
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(features, np.concatenate(labels))
    found = dict(zip(FEATURES, fitted.coef_[0].tolist(), strict=True))
    # Behaviour cannot teach how to weigh a wish in words, which it never holds.
    found["query"] = DEFAULT.weights[FEATURES.index("query")] * max(1.0, *found.values())
    return replace(DEFAULT, weights=tuple(found[name] for name in FEATURES))


def _matrix(profiles: Profiles) -> tuple[list[str], Any]:
    """The liked items, and a sparse matrix (people, items) of how much."""
    from scipy.sparse import csr_matrix

    rows, columns, values = [], [], []
    numbers: dict[str, int] = {}
    for row, events in enumerate(profiles.values()):
        newest = max((event.at for event in events), default=None)
        if newest is None:
            continue
        for item, _ in weights(events, newest).liked.items():
            strongest = max(e.weight for e in events if e.item == item)
            rows.append(row)
            columns.append(numbers.setdefault(item, len(numbers)))
            values.append(strongest)
    if not values:
        raise DataError("nobody liked anything: there is no behaviour to learn from")
    shape = (len(profiles), len(numbers))
    matrix = csr_matrix((np.asarray(values, dtype=np.float32), (rows, columns)), shape=shape)
    return list(numbers), matrix


def _partners(matrix: Any, recipe: Recipe) -> dict[str, NDArray[Any]]:
    """The items most often liked with each by the same people; see `Learned.together_scores`."""
    from implicit.nearest_neighbours import all_pairs_knn

    liked = (matrix > 0).astype(np.float64).tocsr()
    doubt = recipe.prior / (np.asarray(liked.sum(axis=0)).ravel() + recipe.prior)
    counts = all_pairs_knn(liked, recipe.partners + 1, show_progress=False).tocsr()
    together = counts.multiply((doubt / recipe.prior)[:, None]).tocsr()  # n_ij / (n_i + k)
    partners, shares = _neighbours(together, recipe.partners)
    return {"partners": partners, "shares": shares, "doubt": doubt.astype(np.float32)}


def _neighbours(similarity: Any, count: int) -> tuple[NDArray[np.int32], NDArray[np.float16]]:
    """The likest items of each and how like they are, from a sparse matrix (n, n)."""
    size = similarity.shape[0]
    near = np.zeros((size, count), dtype=np.int32)
    nearness = np.zeros((size, count), dtype=np.float16)
    for row in range(size):
        part = similarity[row]
        other = part.indices != row
        columns, values = part.indices[other], part.data[other]
        best = np.argsort(-values)[:count]
        near[row, : len(best)], nearness[row, : len(best)] = columns[best], values[best]
    return near, nearness
