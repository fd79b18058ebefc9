"""How long a suggestion takes among ten thousand and among a million items."""

import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from agent.recommend.catalogue import FOLDER, Catalogue, sync_items
from agent.recommend.events import Event
from agent.recommend.recommender import Recommender
from knowledge.collection import STORE_FILE, current_folder
from knowledge.encoder_source import DEFAULT_ENCODER
from knowledge.open_index import OpenIndex
from knowledge.passage_store import PassageStore
from knowledge.vector_cache import keep_vectors
from tests.benchmarks.recommend import read_profiles
from training.recommender import fit

TOP = 10
SIZE = 1_000_000
REQUESTS = 50
BLOCK = 20_000
SEED = 7


def run(data: Path) -> dict[str, dict[str, float]]:
    """Milliseconds of a request on one core, and the most memory that the process held.

    The first are MovieLens' films; the million has made-up items beside them, whose vectors are
    real ones shifted a little, because random ones would have no neighbours.
    """
    source = data / "movielens_small"
    profiles = read_profiles(source)
    histories = list(profiles.values())[:REQUESTS]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copy(source / "items.jsonl", root)
        sync_items(root, DEFAULT_ENCODER)
        learned = fit(profiles)
        cores = os.sched_getaffinity(0)
        films = Catalogue.open(root)
        os.sched_setaffinity(0, {min(cores)})
        figures = {"films": _request_ms(Recommender(films, learned), histories)}
        os.sched_setaffinity(0, cores)
        encoder = films.index.encoder
        films.close()
        begun = perf_counter()
        place = _grow(root)
        large = Catalogue(OpenIndex(place, encoder=encoder))
        figures["building"] = {"s": round(perf_counter() - begun)}
        os.sched_setaffinity(0, {min(cores)})
        figures["million"] = _request_ms(Recommender(large, learned), histories)
        figures["million"]["recall@10"] = large.index.vectors.facts.recall
        large.close()
    return figures


def _request_ms(recommender: Recommender, histories: Sequence[Sequence[Event]]) -> dict[str, float]:
    taken = []
    recommender.recommend(histories[0], TOP)
    for events in histories:
        begun = perf_counter()
        if not recommender.recommend(events, TOP):
            raise AssertionError("nothing was suggested")
        taken.append((perf_counter() - begun) * 1000)
    return {
        "items": len(recommender.catalogue),
        "median_ms": round(median(taken), 1),
        "p95_ms": round(float(np.percentile(taken, 95)), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _grow(root: Path) -> Path:
    """Made-up items beside the films, up to a million; the index's folder."""
    place = current_folder(root / FOLDER)
    assert place is not None
    store = PassageStore(place / STORE_FILE)
    ids, vectors = (np.concatenate(x) for x in zip(*store.vector_blocks(), strict=True))
    store.close()
    first = int(ids.max()) + 1
    connection = sqlite3.connect(place / STORE_FILE)
    with connection:
        for start in range(0, SIZE - len(ids), BLOCK):
            rows = list(_made_up(vectors, start, min(BLOCK, SIZE - len(ids) - start)))
            connection.executemany(
                "INSERT INTO documents VALUES (?, NULL, ?, '', '{}', '')",
                [(f"made{n}", f"Made {n}") for n, _ in rows],
            )
            connection.executemany(
                "INSERT INTO passages VALUES (?, ?, 0, 'made up', 0, 7, '[]', ?, 1)",
                [(first + n, f"made{n}", vector) for n, vector in rows],
            )
    connection.close()
    store = PassageStore(place / STORE_FILE, writable=True)
    keep_vectors(store, place, vectors.shape[1])
    store.close()
    return place


def _made_up(vectors: Any, start: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Numbers and vectors (float16) near real ones."""
    rng = np.random.default_rng(SEED + start)
    rows = vectors[rng.integers(len(vectors), size=count)]
    rows = rows + rng.standard_normal(rows.shape, dtype=np.float32) * 0.03
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for number, row in enumerate(rows.astype(np.float16), start=start):
        yield number, row.tobytes()
