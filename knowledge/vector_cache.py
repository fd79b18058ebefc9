"""Keeps a large collection's vector index in a file, so that opening need not build it."""

from pathlib import Path

from knowledge.errors import AgentError
from knowledge.index import VectorIndex
from knowledge.passage_store import PassageStore

VECTORS_FILE = "vectors.faiss"
# Below this the vectors are read from the store as quickly as from a file of their own.
KEEP_FROM = 50_000
# The file is written again when so large a share of the collection changed since.
STALE_SHARE = 0.1


def load_vectors(store: PassageStore, place: Path, dimensions: int) -> tuple[VectorIndex, int]:
    """The vectors of the store as they are now, and the generation that they show.

    Begins with the kept file, if there is a good one, and takes up what changed since.
    """
    index, generation = VectorIndex(dimensions), 0
    if (place / VECTORS_FILE).is_file():
        try:
            kept, kept_generation = VectorIndex.load(place / VECTORS_FILE)
            if kept.dimensions == dimensions and kept_generation <= store.generation():
                index, generation = kept, kept_generation
        except AgentError:
            # The store holds the same vectors: the file is only a short cut.
            pass
    return index, catch_up(index, store, generation)


def catch_up(index: VectorIndex, store: PassageStore, generation: int) -> int:
    """Brings the vectors of `generation` to the store's state; returns the new generation."""
    changes = store.changes_since(generation, index.dimensions)
    index.remove(changes.removed)
    index.add(changes.keys, changes.vectors)
    return changes.generation


def keep_vectors(store: PassageStore, place: Path, dimensions: int) -> bool:
    """Writes the file when the collection is large and much changed; whether it did."""
    _, passages = store.counts()
    path = place / VECTORS_FILE
    if passages < KEEP_FROM:
        return False
    changed = store.count_since(_kept_generation(path))
    if changed < STALE_SHARE * passages:
        return False
    generation = store.generation()
    index = VectorIndex.build(store.vector_blocks, passages, dimensions)
    index.save(path, generation=generation)
    return True


def _kept_generation(path: Path) -> int:
    try:
        return VectorIndex.saved_generation(path)
    except AgentError:
        return 0
