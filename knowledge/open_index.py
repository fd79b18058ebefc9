"""One finished index, opened for reading: passages, vectors and words in step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from knowledge.collection import FORMAT, STORE_FILE, WORDS_FOLDER, current_folder
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.errors import AgentError
from knowledge.index import IndexFacts, VectorIndex, use_threads
from knowledge.lexical import LexicalIndex
from knowledge.passage_store import PassageStore
from knowledge.vector_cache import VECTORS_FILE, catch_up, load_vectors


class OpenIndex:
    """The parts that a search needs, all showing the same state of the collection."""

    def __init__(self, place: Path, *, encoder: Encoder | None = None, threads: int = 1) -> None:
        """Opens the index folder `place`; its encoder is loaded unless `encoder` is that one.

        Raises:
            AgentError: a part is damaged, or the encoder cannot be had.
        """
        self.place = place
        self.store = PassageStore(place / STORE_FILE)
        _check_format(self.store.meta(), place)
        self.encoder = _encoder_for(self.store.meta(), encoder, threads, place)
        self.vectors, self.generation = load_vectors(self.store, place, self.encoder.dimensions)
        self.vectors.to_gpu()
        # Beside other work, threads that wait for one another cost more than they help.
        use_threads(threads)
        self.words = LexicalIndex(place / WORDS_FOLDER)

    def catch_up(self) -> None:
        """Takes up what was written since the index was opened."""
        if self.store.generation() != self.generation:
            self.generation = catch_up(self.vectors, self.store, self.generation)
            self.vectors.to_gpu()
            self.words.refresh()

    def close(self) -> None:
        """Lets the files go."""
        self.store.close()


@dataclass(frozen=True, slots=True)
class IndexState:
    """What an index holds, by which encoder, and how it searches."""

    documents: int
    passages: int
    encoder: str
    search: IndexFacts


def read_state(folder: Path) -> IndexState:
    """What the index in `folder` holds, without opening it for searches.

    Raises:
        AgentError: there is none, or it is damaged.
    """
    with open_store(folder) as store:
        documents, passages = store.counts()
        kept = store.path.parent / VECTORS_FILE
        facts = VectorIndex.saved_facts(kept) if kept.is_file() else IndexFacts()
        return IndexState(documents, passages, store.meta().get("encoder", ""), facts)


@contextmanager
def open_store(folder: Path) -> Iterator[PassageStore]:
    """The passages of the index that serves in `folder`, for reading.

    Raises:
        AgentError: there is none, or it is damaged.
    """
    place = current_folder(folder)
    if place is None:
        raise AgentError(f"{folder}: no index here; run `agent knowledge index`")
    store = PassageStore(place / STORE_FILE)
    try:
        yield store
    finally:
        store.close()


def _check_format(meta: dict[str, str], place: Path) -> None:
    found = meta.get("format")
    if found != str(FORMAT):
        raise AgentError(
            f"{place}: the index has format {found}, this version reads {FORMAT}; "
            "run `agent knowledge index`"
        )


def _encoder_for(meta: dict[str, str], held: Encoder | None, threads: int, place: Path) -> Encoder:
    name, fingerprint = meta.get("encoder", ""), meta.get("encoder_fingerprint", "")
    if held is not None and held.fingerprint == fingerprint:
        return held
    loaded = Encoder.load(encoder_folder(name), threads=threads)
    if loaded.fingerprint != fingerprint:
        raise AgentError(
            f"{place}: the index was made with another version of the encoder {name}; "
            "run `agent knowledge index`"
        )
    return loaded
