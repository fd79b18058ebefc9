"""Vectors in a FAISS index: add, remove, search, save, load."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from knowledge.errors import AgentError

log = logging.getLogger(__name__)

FORMAT = 1
Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class VectorIndex:
    """Exact inner-product search over unit vectors with stable ids.

    Scores are cosines in [-1, 1], higher is nearer.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))
        self._on_gpu: Any = None

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Adds vectors, float32 (n, dimensions), under `ids`; an id must not be there yet."""
        if len(ids):
            self._on_gpu = None
            rows = np.ascontiguousarray(vectors, dtype=np.float32)
            keys = np.asarray(ids, dtype=np.int64)
            self._index.add_with_ids(rows, keys)

    def remove(self, ids: Sequence[int] | Ids) -> int:
        """Removes what stands under `ids`; unknown ids are passed over. Returns how many went."""
        if not len(ids) or not len(self):
            return 0
        self._on_gpu = None
        keys = np.asarray(ids, dtype=np.int64)
        return int(self._index.remove_ids(keys))

    def search(self, vectors: Vectors, limit: int) -> tuple[Vectors, Ids]:
        """The best `limit` ids of each row: scores and ids, (n, min(limit, len)), best first."""
        limit = min(limit, len(self))
        if limit <= 0:
            return np.zeros((len(vectors), 0), np.float32), np.zeros((len(vectors), 0), np.int64)
        index = self._index if self._on_gpu is None else self._on_gpu
        scores, ids = index.search(np.ascontiguousarray(vectors, dtype=np.float32), limit)
        return scores, ids

    def to_gpu(self) -> bool:
        """Searches on all GPUs from now on, until the next change; whether that was possible.

        The index in memory stays the truth; the copy keeps float16. Without a GPU nothing
        happens; when copying fails, one line of warning is logged.
        """
        if not faiss.get_num_gpus() or not len(self):
            return False
        try:
            options = faiss.GpuMultipleClonerOptions()
            options.useFloat16 = True
            self._on_gpu = faiss.index_cpu_to_all_gpus(self._index, options)
        except (RuntimeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            log.warning("the passages do not fit on the GPU, searching on the CPU: %s", reason)
            self._on_gpu = None
        return self._on_gpu is not None

    def vectors(self, ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """The ids that are known, and their vectors, float32 (n, dimensions)."""
        found, rows = [], []
        for key in ids:
            try:
                rows.append(self._index.reconstruct(int(key)))
            except RuntimeError:
                continue
            found.append(int(key))
        matrix = np.stack(rows) if rows else np.zeros((0, self.dimensions), dtype=np.float32)
        return np.asarray(found, dtype=np.int64), matrix

    def save(self, path: Path, *, generation: int) -> None:
        """Writes the index and its checksum so that either the old or the new one is there.

        `generation` is what the collection calls the state that these vectors show.
        """
        temporary = path.with_name(path.name + ".partial")
        faiss.write_index(self._index, str(temporary))
        facts = {
            "format": FORMAT,
            "sha256": _sha256(temporary),
            "dimensions": self.dimensions,
            "generation": generation,
        }
        note = path.with_suffix(".json")
        # Without its note the index is not used, so a kill between the steps leaves none.
        note.unlink(missing_ok=True)
        _replace(temporary, path)
        partial_note = note.with_name(note.name + ".partial")
        partial_note.write_text(json.dumps(facts), encoding="utf-8")
        _replace(partial_note, note)

    @classmethod
    def load(cls, path: Path) -> tuple["VectorIndex", int]:
        """The saved index and its generation.

        Raises:
            AgentError: missing, truncated, changed, or of another format.
        """
        facts = _read_note(path)
        try:
            if _sha256(path) != facts["sha256"]:
                raise AgentError(f"{path}: damaged, its checksum differs")
            index = cls(int(facts["dimensions"]))
            index._index = faiss.read_index(str(path))
            return index, int(facts["generation"])
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise AgentError(f"{path}: not a readable vector index ({error})") from error

    @staticmethod
    def saved_generation(path: Path) -> int:
        """The generation of a saved index, without reading it; raises AgentError as `load`."""
        return int(_read_note(path).get("generation", 0))


def _read_note(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        found = facts.get("format")
    except (OSError, ValueError, AttributeError) as error:
        raise AgentError(f"{path}: not a readable vector index ({error})") from error
    if found != FORMAT:
        raise AgentError(f"{path}: format {found!r}, this version reads {FORMAT}")
    return dict(facts)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace(temporary: Path, path: Path) -> None:
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
