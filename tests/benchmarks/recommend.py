"""What is suggested on MovieLens beside plain methods; new people and new items apart."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from agent.recommend.catalogue import Catalogue, sync_items
from agent.recommend.events import Event, read_csv
from agent.recommend.model import Learned
from agent.recommend.recommender import Recommender
from knowledge.encoder_source import DEFAULT_ENCODER
from training.recommender import Case, Recipe, split, weighed

TOP = 10
SHARE = 0.2  # of each person's time that is tested on
COLD_PEOPLE = 100
COLD_ITEMS = 0.1
SEED = 7

Suggest = Callable[[Case], Sequence[str]]
Profiles = Mapping[str, Sequence[Event]]


def run(data: Path) -> dict[str, Any]:
    """nDCG@10, recall@10 and coverage by a time split, cold people and items, latency.

    Of each person the last fifth of their ratings is held out; what they liked in it (a rating
    of 4 or more) must be ranked from what came before. `als` and `item_knn` are implicit's own,
    `text` the items' words alone. `new_people` were not trained on and are known by their first
    one to five likings; `new_items` have no behaviour at all, and only they are ranked.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    source = data / "movielens_small"
    profiles = read_profiles(source)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copy(source / "items.jsonl", root)
        begun = perf_counter()
        sync_items(root, DEFAULT_ENCODER)
        indexing_s = perf_counter() - begun
        catalogue = Catalogue.open(root)
        figures = {
            "indexing_s": round(indexing_s, 1),
            "methods": _methods(catalogue, profiles),
            "new_people": _new_people(catalogue, profiles),
            "new_items": _new_items(catalogue, profiles),
        }
        catalogue.close()
    return figures


def read_profiles(source: Path) -> dict[str, list[Event]]:
    """The ratings of each person."""
    profiles: dict[str, list[Event]] = {}
    for event in read_csv(source / "interactions.csv"):
        if isinstance(event, Event):
            profiles.setdefault(event.user, []).append(event)
    return profiles


def _methods(catalogue: Catalogue, profiles: Profiles) -> dict[str, dict[str, float]]:
    before, cases = split(profiles, SHARE)
    begun = perf_counter()
    ours = weighed(catalogue, before, Recipe())
    training_s = perf_counter() - begun
    methods = {
        "popularity": _by(lambda case: ours.popularity, ours),
        **_library(ours, before),
        "text": _suggesting(Recommender(catalogue)),
        "ours": _suggesting(Recommender(catalogue, ours)),
    }
    figures = {name: _scores(cases, suggest, len(catalogue)) for name, suggest in methods.items()}
    figures["ours"] |= {"training_s": round(training_s, 1)}
    return figures


def _library(ours: Learned, before: Profiles) -> dict[str, Suggest]:
    """implicit's item-kNN and matrix factorization, by its own recommend."""
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    recipe = Recipe()
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        als = AlternatingLeastSquares(
            factors=recipe.factors,
            regularization=recipe.regularization,
            alpha=recipe.alpha,
            random_state=SEED,
        )
        near = CosineRecommender(K=recipe.neighbours)
        matrix = csr_matrix(np.stack([_row(ours, events) for events in before.values()]))
        als.fit(matrix, show_progress=False)
        near.fit(matrix, show_progress=False)

    def by(model: Any) -> Suggest:
        def suggest(case: Case) -> Sequence[str]:
            row = csr_matrix(_row(ours, case.before))
            known = [ours.rows[e.item] for e in case.before if e.item in ours.rows]
            with threadpool_limits(1, "blas"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows, _ = model.recommend(0, row, TOP, filter_items=known, recalculate_user=True)
            # Of items to leave out it gives as many more than were asked for.
            return [ours.items[n] for n in rows[:TOP] if n >= 0]

        return suggest

    return {"item_knn": by(near), "als": by(als)}


def _row(model: Learned, events: Sequence[Event]) -> Any:
    row = np.zeros(len(model.items), dtype=np.float32)
    for event in events:
        if event.weight > 0 and event.item in model.rows:
            row[model.rows[event.item]] = event.weight
    return row


def _by(score: Callable[[Case], Any], model: Learned) -> Suggest:
    def suggest(case: Case) -> Sequence[str]:
        scores = np.array(score(case), dtype=np.float32)
        known = [model.rows[e.item] for e in case.before if e.item in model.rows]
        scores[known] = -np.inf
        return [model.items[row] for row in np.argsort(-scores, kind="stable")[:TOP]]

    return suggest


def _suggesting(recommender: Recommender) -> Suggest:
    return lambda case: [one.item.id for one in recommender.recommend(case.before, TOP, at=case.at)]


def _scores(cases: Sequence[Case], suggest: Suggest, size: int) -> dict[str, float]:
    """Means over the people, and the share of all items that anybody is suggested."""
    ndcg, recall, shown = [], [], set[str]()
    for case in cases:
        found = suggest(case)
        shown |= set(found)
        hits = [at for at, name in enumerate(found) if name in case.wanted]
        best = sum(1 / np.log2(at + 2) for at in range(min(TOP, len(case.wanted))))
        ndcg.append(sum(1 / np.log2(at + 2) for at in hits) / best)
        recall.append(len(hits) / len(case.wanted))
    return {
        "ndcg@10": round(float(np.mean(ndcg)), 4),
        "recall@10": round(float(np.mean(recall)), 4),
        "coverage": round(len(shown) / size, 4),
        "people": len(cases),
    }


def _new_people(catalogue: Catalogue, profiles: Profiles) -> dict[str, dict[str, float]]:
    """People whom nobody trained on, after one, three and five likings."""
    rng = np.random.default_rng(SEED)
    new = set(rng.choice(sorted(profiles), COLD_PEOPLE, replace=False).tolist())
    known = {user: events for user, events in profiles.items() if user not in new}
    model = weighed(catalogue, known, Recipe())
    figures = {}
    for count in (1, 3, 5):
        cases = []
        for user in sorted(new):
            likings = [e for e in sorted(profiles[user], key=lambda e: e.at) if e.weight >= 0.5]
            rest = frozenset(e.item for e in likings[count:])
            if rest:
                cases.append(Case(likings[:count], rest))
        for name, suggest in (
            ("popularity", _by(lambda case: model.popularity, model)),
            ("text", _suggesting(Recommender(catalogue))),
            ("ours", _suggesting(Recommender(catalogue, model))),
        ):
            figures[f"{name}_{count}"] = _scores(cases, suggest, len(catalogue))
    return figures


def _new_items(catalogue: Catalogue, profiles: Profiles) -> dict[str, dict[str, float]]:
    """Items without any behaviour, ranked among themselves by what they say."""
    rng = np.random.default_rng(SEED)
    items = sorted({e.item for events in profiles.values() for e in events})
    new = set(rng.choice(items, int(COLD_ITEMS * len(items)), replace=False).tolist())
    _, cases = split(profiles, SHARE)
    kept = [
        replace(
            case,
            before=[e for e in case.before if e.item not in new],
            wanted=frozenset(case.wanted & new),
        )
        for case in cases
    ]
    cold = [case for case in kept if case.wanted and any(e.weight > 0 for e in case.before)]
    keys = np.array(sorted(catalogue.keys_of(sorted(new)).values()), dtype=np.int64)
    names = sorted(new)

    def text(case: Case) -> Sequence[str]:
        recommender = Recommender(catalogue)
        interests = recommender.taste(case.before, case.at).interests
        scores: dict[str, float] = {}
        rows = np.stack([interest.vector for interest in interests])
        found = catalogue.nearest(rows, TOP, only=keys)
        for interest, near in zip(interests, found, strict=True):
            for name, cosine in near.items():
                scores[name] = max(scores.get(name, 0.0), cosine * (0.5 + 0.5 * interest.share))
        return sorted(scores, key=lambda name: -scores[name])[:TOP]

    def chance(case: Case) -> Sequence[str]:
        return [names[i] for i in rng.choice(len(names), TOP, replace=False)]

    return {
        "chance": _scores(cold, chance, len(new)),
        "text": _scores(cold, text, len(new)),
    }
