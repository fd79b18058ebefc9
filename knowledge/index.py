"""Vectors in FAISS indexes: add, remove, search, save, load.        [door: faiss]."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from knowledge.errors import AgentError

log = logging.getLogger(__name__)

FORMAT = 2
# Up to here exact search takes some 20 ms on one core; beyond, lists of near vectors.
EXACT_UP_TO = 200_000
# More lists make a search quicker and the index slower to build.
LISTS_PER_ROOT = 2
TRAINING_PER_LIST = 40
TRAINING_ROUNDS = 10
# So many lists are looked through that this recall@10 is reached on a sample.
WANTED_RECALL = 0.98
SAMPLE = 200
RECALL_AT = 10
SEED = 1234
# FAISS finds no more than this on a GPU.
GPU_LIMIT = 2048

# Their keyword arguments are unknown to FAISS's own types.
_Parameters: Any = faiss.SearchParameters
_ListParameters: Any = faiss.SearchParametersIVF

Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Blocks = Callable[[], Iterable[tuple[Ids, Vectors]]]


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """How an index searches: `exact`, or `lists` of which `probes` are looked through.

    `recall` is that of the ten nearest on a sample, against exact search, in [0, 1].
    """

    kind: str = "exact"
    lists: int = 0
    probes: int = 0
    recall: float = 1.0


class VectorIndex:
    """Inner-product search over unit vectors with stable ids.

    A large part may lie in a file that is mapped into memory and never changed: what came
    since stands beside it, and what went is passed over. Scores are cosines in [-1, 1],
    higher is nearer.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions, self.facts = dimensions, IndexFacts()
        self._base: Any = None
        self._base_ids: Ids = np.zeros(0, dtype=np.int64)
        self._gone: set[int] = set()
        self._recent: Any = _empty(dimensions)
        self._on_gpu: Any = None

    @classmethod
    def build(cls, blocks: Blocks, count: int, dimensions: int) -> "VectorIndex":
        """An index of all the vectors: exact up to `EXACT_UP_TO`, else lists of near ones.

        `blocks` is called some times and gives the same ids and vectors, float32
        (n, dimensions), each time; `count` is how many there are.
        """
        index = cls(dimensions)
        if count <= EXACT_UP_TO:
            for ids, vectors in blocks():
                index.add(ids, vectors)
            return index
        with _all_cores():
            index._build_lists(blocks, count)
        return index

    def _build_lists(self, blocks: Blocks, count: int) -> None:
        self._base = _train(_sample(blocks, _lists(count) * TRAINING_PER_LIST, count), count)
        for ids, vectors in blocks():
            self._base.add_with_ids(vectors, ids)
        self._base_ids = _ids_of(self._base)
        self.facts = _tune(self._base, blocks, count)
        self._base.nprobe = self.facts.probes

    def __len__(self) -> int:
        return len(self._base_ids) - len(self._gone) + int(self._recent.ntotal)

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Adds vectors, float32 (n, dimensions), under `ids`; an id must not be there yet."""
        if len(ids):
            rows = np.ascontiguousarray(vectors, dtype=np.float32)
            self._recent.add_with_ids(rows, np.asarray(ids, dtype=np.int64))
            self._leave_gpu()

    def remove(self, ids: Sequence[int] | Ids) -> int:
        """Removes what stands under `ids`; unknown ids are passed over. Returns how many went."""
        if not len(ids) or not len(self):
            return 0
        self._leave_gpu()
        keys = np.asarray(ids, dtype=np.int64)
        before = len(self)
        self._recent.remove_ids(keys)
        self._gone.update(np.intersect1d(keys, self._base_ids).tolist())
        return before - len(self)

    def search(
        self, vectors: Vectors, limit: int, *, only: Ids | None = None
    ) -> tuple[Vectors, Ids]:
        """The best `limit` ids of each row: scores and ids, (n, min(limit, len)), best first.

        With `only`, those among these ids. Where fewer are found the ids are -1 at the end.
        """
        limit = min(limit, len(self))
        if limit <= 0:
            return np.zeros((len(vectors), 0), np.float32), np.zeros((len(vectors), 0), np.int64)
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        parts = []
        if self._recent.ntotal:
            parts.append(self._search_recent(rows, limit, only))
        if self._base is not None:
            parts.append(self._search_base(rows, limit, only))
        return parts[0] if len(parts) == 1 else _merged(parts, limit)

    def to_gpu(self) -> bool:
        """Searches on all GPUs from now on; whether that was possible.

        The index in memory stays the truth; the copy keeps float16. An index from a file stays
        there through changes, one in memory only until the next. Without a GPU nothing
        happens; when copying fails, one line of warning is logged.
        """
        if self._on_gpu is not None:
            return True
        index = self._recent if self._base is None else self._base
        if not gpu_count() or not len(self):
            return False
        try:
            options = faiss.GpuMultipleClonerOptions()
            options.useFloat16 = True
            self._on_gpu = faiss.index_cpu_to_all_gpus(index, options)
        except (RuntimeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            log.warning("the passages do not fit on the GPU, searching on the CPU: %s", reason)
        return self._on_gpu is not None

    def save(self, path: Path, *, generation: int) -> None:
        """Writes the index and its checksum so that either the old or the new one is there.

        `generation` is what the collection calls the state that these vectors show. Only an
        index that was not changed since it was built or loaded can be written.
        """
        if self._base is not None and (self._gone or self._recent.ntotal):
            raise ValueError("a changed index is built again, not saved")
        temporary = path.with_name(path.name + ".partial")
        try:
            index = self._recent if self._base is None else self._base
            faiss.write_index(index, str(temporary))
        except RuntimeError as error:
            temporary.unlink(missing_ok=True)
            raise AgentError(f"{path}: the vectors cannot be written ({error})") from error
        facts = {
            "format": FORMAT,
            "sha256": _sha256(temporary),
            "dimensions": self.dimensions,
            "generation": generation,
            "search": asdict(self.facts),
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
        """The saved index, mapped into memory, and its generation.

        Raises:
            AgentError: missing, truncated, changed, or of another format.
        """
        facts = _read_note(path)
        try:
            if _sha256(path) != facts["sha256"]:
                raise AgentError(f"{path}: damaged, its checksum differs")
            index = cls(int(facts["dimensions"]))
            index.facts = IndexFacts(**facts["search"])
            index._base = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            index._base_ids = _ids_of(index._base)
            if index.facts.kind == "lists":
                index._base.nprobe = index.facts.probes
            return index, int(facts["generation"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise AgentError(f"{path}: not a readable vector index ({error})") from error

    @staticmethod
    def saved_generation(path: Path) -> int:
        """The generation of a saved index, without reading it; raises AgentError as `load`."""
        return int(_read_note(path).get("generation", 0))

    @staticmethod
    def saved_facts(path: Path) -> IndexFacts:
        """How a saved index searches, without reading it; raises AgentError as `load`."""
        return IndexFacts(**_read_note(path)["search"])

    def _leave_gpu(self) -> None:
        if self._base is None:
            self._on_gpu = None

    def _search_recent(self, rows: Vectors, limit: int, only: Ids | None) -> tuple[Vectors, Ids]:
        if only is None and self._base is None and self._on_gpu is not None:
            scores, ids = self._on_gpu.search(rows, limit)
        else:
            chosen = None if only is None else _Parameters(sel=_among(only))
            scores, ids = self._recent.search(rows, limit, params=chosen)
        return scores, ids

    def _search_base(self, rows: Vectors, limit: int, only: Ids | None) -> tuple[Vectors, Ids]:
        # A copy on a GPU cannot pass over what went: as many more are asked for.
        more = limit + len(self._gone)
        if only is not None or self._on_gpu is None or more > GPU_LIMIT:
            scores, ids = self._base.search(rows, limit, params=self._base_parameters(only))
            return scores, ids
        scores, ids = self._on_gpu.search(rows, more)
        went = np.isin(ids, list(self._gone))
        return _merged([(np.where(went, -np.inf, scores), np.where(went, -1, ids))], limit)

    def _base_parameters(self, only: Ids | None) -> Any:
        """FAISS's parameters of a search in the base: what is passed over, how far to look."""
        gone = np.fromiter(self._gone, dtype=np.int64, count=len(self._gone))
        if only is not None:
            chosen = _among(np.setdiff1d(only, gone))
        else:
            chosen = faiss.IDSelectorNot(_among(gone)) if self._gone else None
        if self.facts.kind == "exact":
            return _Parameters(sel=chosen) if chosen else None
        # Few among many may stand in any list.
        probes = self.facts.lists if only is not None else self.facts.probes
        return _ListParameters(sel=chosen, nprobe=probes)


def gpu_count() -> int:
    """How many GPUs FAISS can use here: none with a build for the processor alone."""
    return int(faiss.get_num_gpus())


def use_threads(count: int) -> None:
    """Searches of this process use so many threads each from now on."""
    faiss.omp_set_num_threads(count)


@contextmanager
def _all_cores() -> Iterator[None]:
    before = int(faiss.omp_get_max_threads())
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _empty(dimensions: int) -> Any:
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))


def _among(ids: Ids) -> Any:
    return faiss.IDSelectorBatch(np.ascontiguousarray(ids))


def _ids_of(index: Any) -> Ids:
    """All ids of a FAISS index, ascending."""
    if hasattr(index, "id_map"):
        ids = faiss.vector_to_array(index.id_map)
    else:
        lists = index.invlists
        parts = [
            faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number)).copy()
            for number in range(lists.nlist)
            if lists.list_size(number)
        ]
        ids = np.concatenate(parts) if parts else np.zeros(0)
    return np.sort(ids.astype(np.int64))


def _merged(parts: Sequence[tuple[Vectors, Ids]], limit: int) -> tuple[Vectors, Ids]:
    scores = np.concatenate([part[0] for part in parts], axis=1)
    ids = np.concatenate([part[1] for part in parts], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :limit]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)


def _lists(count: int) -> int:
    return max(1, int(LISTS_PER_ROOT * count**0.5))


def _sample(blocks: Blocks, size: int, count: int) -> Vectors:
    """About `size` of the vectors, spread over all of them."""
    chance = np.random.default_rng(SEED)
    picked = [rows[chance.random(len(rows)) < size / count] for _, rows in blocks()]
    return np.ascontiguousarray(np.concatenate(picked))


def _train(sample: Vectors, count: int) -> Any:
    dimensions = sample.shape[1]
    centres: Any = faiss.IndexFlatIP(dimensions)
    index: Any = faiss.IndexIVFScalarQuantizer(
        centres,
        dimensions,
        min(_lists(count), len(sample)),
        faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_INNER_PRODUCT,
        False,
    )
    index.cp.niter, index.cp.seed = TRAINING_ROUNDS, SEED
    # A warning of FAISS about small samples is no news here.
    index.cp.min_points_per_centroid = 1
    index.train(sample)
    return index


def _tune(index: Any, blocks: Blocks, count: int) -> IndexFacts:
    """How many lists to look through for the wanted recall, measured against exact search."""
    queries = _sample(blocks, SAMPLE, count)
    # The nearest of a vector is itself, which would be found too easily.
    nearest = faiss.ResultHeap(len(queries), RECALL_AT + 1, keep_max=True)
    for ids, rows in blocks():
        flat = faiss.IndexFlatIP(rows.shape[1])
        flat.add(rows)
        scores, places = flat.search(queries, min(RECALL_AT + 1, len(rows)))
        nearest.add_result(scores, ids[places])
    nearest.finalize()
    wanted = nearest.I[:, 1:]
    probes, recall = 4, 0.0
    while recall < WANTED_RECALL and probes < index.nlist:
        probes = min(2 * probes, index.nlist)
        parameters = _ListParameters(nprobe=probes)
        _, found = index.search(queries, RECALL_AT + 1, params=parameters)
        recall = float(np.mean([np.isin(w, f).mean() for w, f in zip(wanted, found, strict=True)]))
    return IndexFacts("lists", index.nlist, probes, round(recall, 4))


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
