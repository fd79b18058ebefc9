"""Retrieval in one table: nDCG@10 and recall@10 of dense, BM25 and hybrid search by set.

Beside them float vectors of whole documents, by our encoder and by sentence-transformers, both
searched exactly. `xquad zh to en` asks the Chinese questions of the English paragraphs.
INTENT_AGENT_BENCH_SETS names some of the sets, INTENT_AGENT_BENCH_FLOAT=0 leaves floats out.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.benchmark import benchmark_retriever, rank_documents
from knowledge.benchmark_files import read_corpus, read_qrels, read_queries
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder, Vectors
from knowledge.encoder_source import packaged_minilm
from knowledge.evaluate import Judgements, evaluate
from knowledge.index import VectorIndex
from knowledge.retriever import Mode

MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
FOUND = 10
Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Task:
    """A corpus file with the questions that are asked of it and what answers them."""

    corpus: Path
    queries: dict[str, str]
    qrels: dict[str, dict[str, float]]


def run(data: Path) -> dict[str, Any]:
    """The figures by set and way of searching, in percent."""
    tasks = {
        "scifact test": ("scifact/corpus.jsonl.gz", "scifact", "test"),
        "xquad en": ("xquad_en/corpus.jsonl", "xquad_en", None),
        "xquad zh": ("xquad_zh/corpus.jsonl", "xquad_zh", None),
        "xquad zh to en": ("xquad_en/corpus.jsonl", "xquad_zh", None),
    }
    wanted = os.environ.get("INTENT_AGENT_BENCH_SETS", ",".join(tasks)).split(",")
    threads = os.cpu_count() or 1
    encoder = Encoder.load(encoder_folder(), threads=threads)
    floats = _float_encoders(threads) if os.environ.get("INTENT_AGENT_BENCH_FLOAT") != "0" else {}
    figures: dict[str, Any] = {}
    for name in wanted:
        corpus, queries, split = tasks[name]
        if not (data / corpus).is_file():
            continue
        task = Task(
            data / corpus,
            read_queries(data / queries / "queries.jsonl", split),
            read_qrels(data / queries / "qrels.tsv"),
        )
        figures[name] = {way: _unchunked(task, encode) for way, encode in floats.items()}
        figures[name] |= _searched(task, encoder)
    return figures


def _float_encoders(threads: int) -> dict[str, Encode]:
    from sentence_transformers import SentenceTransformer

    ours = Encoder.load(encoder_folder(precision="float32"), threads=threads)
    theirs = SentenceTransformer(str(packaged_minilm()), device="cpu")
    return {
        "float, unchunked": ours.encode,
        "sentence-transformers, exact": lambda texts: theirs.encode(
            list(texts), normalize_embeddings=True
        ),
    }


def _unchunked(task: Task, encode: Encode) -> dict[str, float]:
    documents = list(read_corpus(task.corpus))
    vectors = encode([f"{one.title}\n{one.text}".strip() for one in documents])
    index = VectorIndex(vectors.shape[1])
    index.add(np.arange(len(documents)), vectors)
    found = index.search(encode(list(task.queries.values())), FOUND)[1]
    rankings = {
        query: [documents[place].id for place in row]
        for query, row in zip(task.queries, found.tolist(), strict=True)
    }
    return _figures(rankings, task.qrels)


def _searched(task: Task, encoder: Encoder) -> dict[str, dict[str, float]]:
    retriever = benchmark_retriever(task.corpus, encoder)
    return {
        mode: _figures(rank_documents(retriever, task.queries, mode=mode), task.qrels)
        for mode in MODES
    }


def _figures(
    rankings: dict[str, list[str]], qrels: dict[str, dict[str, float]]
) -> dict[str, float]:
    judgements: dict[str, Judgements] = dict(qrels)
    result = evaluate(rankings, judgements)
    return {
        "ndcg@10": round(100 * result.ndcg, 1),
        "recall@10": round(100 * result.recall, 1),
    }
