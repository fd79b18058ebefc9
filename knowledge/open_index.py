"""One finished index, opened for reading: passages, vectors and words in step."""

from pathlib import Path

from knowledge.collection import STORE_FILE, WORDS_FOLDER
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.errors import AgentError
from knowledge.lexical import LexicalIndex
from knowledge.passage_store import PassageStore
from knowledge.vector_cache import catch_up, load_vectors


class OpenIndex:
    """The parts that a search needs, all showing the same state of the collection."""

    def __init__(self, place: Path, *, encoder: Encoder | None = None, threads: int = 1) -> None:
        """Opens the index folder `place`; its encoder is loaded unless `encoder` is that one.

        Raises:
            AgentError: a part is damaged, or the encoder cannot be had.
        """
        self.place = place
        self.store = PassageStore(place / STORE_FILE)
        self.encoder = _encoder_for(self.store.meta(), encoder, threads, place)
        self.vectors, self.generation = load_vectors(self.store, place, self.encoder.dimensions)
        self.vectors.to_gpu()
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
