import json
from pathlib import Path

import faiss
import numpy as np
import pytest

from knowledge.errors import AgentError
from knowledge.index import VectorIndex, Vectors


def unit_vectors(count: int, dimensions: int = 16, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture
def filled() -> tuple[VectorIndex, Vectors]:
    vectors = unit_vectors(50)
    index = VectorIndex(16)
    index.add(np.arange(100, 150), vectors)
    return index, vectors


def test_search_agrees_with_faiss_flat_and_gives_our_ids(
    filled: tuple[VectorIndex, Vectors],
) -> None:
    index, vectors = filled
    queries = unit_vectors(5, seed=1)
    flat = faiss.IndexFlatIP(16)
    flat.add(vectors)
    wanted_scores, wanted = flat.search(queries, 10)
    scores, ids = index.search(queries, 10)
    np.testing.assert_array_equal(ids, wanted + 100)
    np.testing.assert_allclose(scores, wanted_scores)


def test_what_is_removed_is_not_found(filled: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = filled
    assert index.remove([100, 149, 7]) == 2
    assert len(index) == 48
    assert 100 not in index.search(vectors[:1], 48)[1]


def test_an_id_can_be_used_again_after_removal(filled: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = filled
    index.remove([100])
    index.add([100], vectors[1:2])
    assert set(index.search(vectors[1:2], 2)[1][0].tolist()) == {100, 101}


def test_more_results_than_vectors_are_not_made_up(
    filled: tuple[VectorIndex, Vectors],
) -> None:
    index, vectors = filled
    assert index.search(vectors[:2], 80)[1].shape == (2, 50)


def test_an_empty_index_finds_nothing() -> None:
    scores, ids = VectorIndex(16).search(unit_vectors(2), 3)
    assert scores.shape == ids.shape == (2, 0)


def test_vectors_come_back_for_known_ids_only(filled: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = filled
    ids, rows = index.vectors([149, 3, 100])
    assert ids.tolist() == [149, 100]
    np.testing.assert_allclose(rows, vectors[[49, 0]])


def test_a_saved_index_is_loaded_with_its_generation(
    filled: tuple[VectorIndex, Vectors], tmp_path: Path
) -> None:
    index, vectors = filled
    index.save(tmp_path / "v.faiss", generation=7)
    loaded, generation = VectorIndex.load(tmp_path / "v.faiss")
    assert generation == 7
    np.testing.assert_array_equal(loaded.search(vectors, 3)[1], index.search(vectors, 3)[1])


@pytest.mark.parametrize("damage", ["truncate", "change", "no note", "format", "no file"])
def test_a_damaged_index_is_refused(
    filled: tuple[VectorIndex, Vectors], tmp_path: Path, damage: str
) -> None:
    path, note = tmp_path / "v.faiss", tmp_path / "v.json"
    filled[0].save(path, generation=1)
    data = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(data[:-40])
    elif damage == "change":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "no note":
        note.unlink()
    elif damage == "no file":
        path.unlink()
    else:
        note.write_text(json.dumps(json.loads(note.read_text()) | {"format": 99}))
    with pytest.raises(AgentError, match=r"v\.faiss"):
        VectorIndex.load(path)


def test_without_a_gpu_nothing_is_copied(filled: tuple[VectorIndex, Vectors]) -> None:
    if faiss.get_num_gpus():
        pytest.skip("this machine has a GPU")
    assert not filled[0].to_gpu()


def test_a_gpu_that_fails_falls_back_with_one_warning(
    filled: tuple[VectorIndex, Vectors],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    index, vectors = filled

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory\nat line 3")

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(
        faiss, "GpuMultipleClonerOptions", lambda: type("O", (), {})(), raising=False
    )
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", fail)
    assert not index.to_gpu()
    assert [record.message.count("\n") for record in caplog.records] == [0]
    assert index.search(vectors[:1], 1)[1][0, 0] == 100


def test_a_change_is_seen_although_a_gpu_copy_was_made(
    filled: tuple[VectorIndex, Vectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, vectors = filled
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(
        faiss, "GpuMultipleClonerOptions", lambda: type("O", (), {})(), raising=False
    )
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", lambda i, _: faiss.clone_index(i))
    assert index.to_gpu()
    index.remove([100])
    assert 100 not in index.search(vectors[:1], 49)[1]
