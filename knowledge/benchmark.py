"""Runs a retrieval benchmark: indexes its corpus once, then ranks documents for each query."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from knowledge.benchmark_files import read_corpus
from knowledge.collection import Collection
from knowledge.encoder import Encoder
from knowledge.encoder_source import file_sha256
from knowledge.folder_changes import Progress
from knowledge.home import home
from knowledge.retriever import Mode, Retriever, open_retriever

# Passages looked at for each query, so that ten documents are found even if one fills many.
PASSAGES = 200
KEPT_INDEXES = 8


def benchmark_retriever(
    corpus: Path, encoder: Encoder, *, progress: Progress | None = None
) -> Retriever:
    """A retriever over a corpus file, indexed once per content and encoder.

    The index is kept in the per-user folder, the last few of them.

    Raises:
        InputError: the file is broken; names file and line.
    """
    indexes = home() / "evaluations"
    folder = indexes / f"{file_sha256(corpus)[:16]}-{encoder.fingerprint}"
    collection = Collection.open(folder, encoder)
    collection.upsert(read_corpus(corpus), progress=progress)
    _forget_oldest(indexes, folder)
    return open_retriever(folder, encoder=encoder)


def rank_documents(
    retriever: Retriever,
    queries: Mapping[str, str],
    *,
    mode: Mode = "hybrid",
    limit: int = 10,
    progress: Progress | None = None,
) -> dict[str, list[str]]:
    """The best `limit` document ids of each query; a document counts by its best passage."""
    rankings = {}
    for number, (query_id, text) in enumerate(queries.items(), 1):
        hits = retriever.rank(text, limit=PASSAGES, mode=mode)
        documents = retriever.documents([hit.key for hit in hits])
        rankings[query_id] = list(dict.fromkeys(documents))[:limit]
        if progress is not None:
            progress(number, len(queries))
    return rankings


def _forget_oldest(indexes: Path, used: Path) -> None:
    used.touch()
    kept = sorted(indexes.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[KEPT_INDEXES:]:
        shutil.rmtree(old, ignore_errors=True)
