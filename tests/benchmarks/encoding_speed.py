"""Texts a second of the int8 ONNX encoder and of sentence-transformers' default, in one run."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from knowledge.benchmark_files import read_corpus, read_queries
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.encoder_source import packaged_minilm

PASSAGES, QUERIES = 96, 256
ROUNDS = 3


def run(data: Path) -> dict[str, Any]:
    """Texts a second, the best of some rounds taken in turns, on all cores."""
    folder = data / "scifact"
    if not folder.is_dir():
        return {"left_out": f"{folder} is not there"}
    from sentence_transformers import SentenceTransformer

    threads = os.cpu_count() or 1
    ours = Encoder.load(encoder_folder(), threads=threads)
    theirs = SentenceTransformer(str(packaged_minilm()), device="cpu")
    corpus = [f"{one.title}\n{one.text}" for one in read_corpus(folder / "corpus.jsonl.gz")]
    sets = {
        "passages": corpus[:: len(corpus) // PASSAGES][:PASSAGES],
        "questions": list(read_queries(folder / "queries.jsonl").values())[:QUERIES],
    }
    return {"threads": threads} | {
        name: _compare(texts, ours.encode, theirs.encode) for name, texts in sets.items()
    }


def _compare(
    texts: Sequence[str],
    ours: Callable[[Sequence[str]], Any],
    theirs: Callable[[Sequence[str]], Any],
) -> dict[str, float]:
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        for name, encode in (("ours", ours), ("theirs", theirs)):
            started = time.perf_counter()
            encode(texts)
            times[name].append(time.perf_counter() - started)
    best = {name: min(spent) for name, spent in times.items()}
    return {
        "texts_a_second": round(len(texts) / best["ours"], 1),
        "sentence_transformers": round(len(texts) / best["theirs"], 1),
        "ratio": round(best["theirs"] / best["ours"], 2),
    }
