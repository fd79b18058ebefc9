"""The knowledge base at scale: build, memory, latency, recall and upsert, against raw FAISS.

INTENT_AGENT_BENCH_PASSAGES names the sizes (default 100000,1000000).
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from knowledge.collection import Collection
from knowledge.encoder import Vectors
from knowledge.retriever import open_retriever
from tests.benchmarks import encoding_speed
from tests.benchmarks.synthetic import (
    BLOCK,
    PER_TOPIC,
    QUERY_SPREAD,
    SyntheticEncoder,
    documents,
    spread,
)

QUERIES = 200
UPSERTED = 100


def run(data: Path) -> dict[str, Any]:
    """The figures by size, and the encoder's throughput; each size in a process of its own."""
    sizes = os.environ.get("INTENT_AGENT_BENCH_PASSAGES", "100000,1000000").split(",")
    figures: dict[str, Any] = {}
    for size in sizes:
        command = [sys.executable, "-m", "tests.benchmarks.knowledge", size]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        figures[f"passages_{size}"] = json.loads(done.stdout)
    figures["encoding"] = encoding_speed.run(data)
    return figures


def measure(count: int) -> dict[str, Any]:
    """Everything about a collection of so many passages."""
    faiss.omp_set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="knowledge-benchmark-"))
    encoder = SyntheticEncoder(max(1, count // PER_TOPIC))
    try:
        collection = Collection.open(folder, encoder)
        built_s = _timed(lambda: collection.upsert(documents(0, count)))
        figures = _search_figures(folder, encoder, count)
        upsert_s = _timed(lambda: collection.upsert(documents(0, UPSERTED, salt=1)))
        retriever = open_retriever(folder, encoder=encoder)
        changed = next(iter(documents(0, 1, salt=1)))
        assert retriever.search_all(changed.text)[0].passage.text == changed.text
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "build_s": round(built_s, 1),
            "disk_bytes_per_passage": round(_size(folder) / count),
            **figures,
            f"upsert_{UPSERTED}_s": round(upsert_s, 2),
            "peak_mb": round(peak_mb),
        }
    finally:
        shutil.rmtree(folder)


def _search_figures(folder: Path, encoder: SyntheticEncoder, count: int) -> dict[str, Any]:
    chance = np.random.default_rng(5)
    numbers = chance.choice(count, QUERIES, replace=False)
    texts = [next(iter(documents(int(n), int(n) + 1))).text for n in numbers]
    queries = spread(encoder.encode(texts), QUERY_SPREAD, chance)
    opening = time.perf_counter()
    retriever = open_retriever(folder, encoder=encoder)
    opened_s = time.perf_counter() - opening
    index = retriever._index.vectors
    whole = _latencies(lambda row: retriever.search_all(texts[row][:60], limit=5))
    found = index.search(queries, 10)[1]
    exact, raw = _exact(encoder, queries, count)
    ours, theirs = _in_turns(
        lambda row: index.search(queries[row : row + 1], 10),
        None if raw is None else lambda row: raw.search(queries[row : row + 1], 10),
    )
    shares = [np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]
    facts = index.facts
    return {
        "open_s": round(opened_s, 2),
        "index": facts.kind
        if facts.kind == "exact"
        else f"{facts.lists} lists, {facts.probes} read",
        "recall_at_build": facts.recall,
        "recall@10": round(float(np.mean(shares)), 4),
        "memory_bytes_per_passage": round(_memory(folder, count) / count),
        "vector_search_ms": _quantiles(ours),
        "raw_faiss_flat_ms": _quantiles(theirs) if theirs else None,
        "overhead_over_raw_flat": _overhead(ours, theirs) if theirs else None,
        "whole_search_ms": _quantiles(whole),
    }


def _exact(
    encoder: SyntheticEncoder, queries: Vectors, count: int
) -> tuple[np.ndarray[Any, Any], Any]:
    """The ten nearest by FAISS alone; its flat index where all vectors fit one, else None."""
    heap = faiss.ResultHeap(len(queries), 10, keep_max=True)
    whole = faiss.IndexFlatIP(queries.shape[1]) if count <= 200_000 else None
    for first in range(0, count, BLOCK):
        rows = encoder._block(first // BLOCK)[: min(BLOCK, count - first)]
        part = faiss.IndexFlatIP(queries.shape[1])
        part.add(rows)
        scores, places = part.search(queries, 10)
        # Passages were written in order, so their keys are their numbers from 1.
        heap.add_result(scores, places + first + 1)
        if whole is not None:
            whole.add(rows)
    heap.finalize()
    return heap.I, whole


def _in_turns(
    ours: Callable[[int], Any], theirs: Callable[[int], Any] | None
) -> tuple[list[float], list[float]]:
    """Milliseconds of both searches, query by query in turns, so that both meet the same load."""
    times: tuple[list[float], list[float]] = ([], [])
    for row in range(QUERIES):
        for search, spent in zip((ours, theirs), times, strict=True):
            if search is not None:
                spent.append(1000 * _timed(partial(search, row)))
    return times


def _overhead(ours: list[float], theirs: list[float]) -> float:
    """The median of how much longer ours takes, query by query, as a share."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) - 1, 3)


def _latencies(search: Callable[[int], Any]) -> list[float]:
    for row in range(10):
        search(row)
    return [1000 * _timed(partial(search, row)) for row in range(QUERIES)]


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _quantiles(times: list[float]) -> dict[str, float]:
    return {
        "p50": round(statistics.median(times), 2),
        "p95": round(statistics.quantiles(times, n=20)[-1], 2),
    }


def _memory(folder: Path, count: int) -> int:
    """Bytes that a fresh process needs to open the index and search it."""
    command = [sys.executable, "-m", "tests.benchmarks.knowledge", str(count), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def memory(count: int, folder: Path) -> int:
    """Bytes that this process grew by when it opened and searched an index."""
    encoder = SyntheticEncoder(max(1, count // PER_TOPIC))
    texts = [next(iter(documents(n, n + 1))).text for n in range(0, count, count // 20)]
    queries = encoder.encode(texts)
    before = _resident()
    retriever = open_retriever(folder, encoder=encoder)
    retriever._index.vectors.search(queries, 10)
    for text in texts:
        retriever.search_all(text[:60])
    return _resident() - before


def _resident() -> int:
    """Bytes of this process in memory, mapped files included as far as they were read."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    passages, *rest = sys.argv[1:]
    result = memory(int(passages), Path(rest[0])) if rest else measure(int(passages))
    sys.stdout.write(json.dumps(result))
