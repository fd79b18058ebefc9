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


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[VectorIndex, Vectors]:
    """A saved and loaded index of lists; ids are places plus 1000."""
    monkeypatch.setattr("knowledge.index.EXACT_UP_TO", 500)
    chance = np.random.default_rng(3)
    centres = unit_vectors(40, seed=5)
    rows = centres[chance.integers(0, 40, 3000)] + 0.4 * chance.normal(size=(3000, 16))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    halves = [(np.arange(s, s + 1500) + 1000, vectors[s : s + 1500]) for s in (0, 1500)]
    built = VectorIndex.build(lambda: halves, 3000, 16)
    built.save(tmp_path / "v.faiss", generation=1)
    return VectorIndex.load(tmp_path / "v.faiss")[0], vectors


def test_a_large_index_searches_lists_and_says_its_measured_recall(
    many: tuple[VectorIndex, Vectors],
) -> None:
    index, vectors = many
    assert (index.facts.kind, len(index)) == ("lists", 3000)
    assert index.facts.recall >= 0.98
    flat = faiss.IndexFlatIP(16)
    flat.add(vectors)
    queries = vectors[::50]
    wanted = flat.search(queries, 10)[1] + 1000
    found = index.search(queries, 10)[1]
    overlap = [len(set(a) & set(b)) / 10 for a, b in zip(wanted, found, strict=True)]
    assert np.mean(overlap) > 0.95


def test_a_loaded_index_takes_up_what_came_and_passes_over_what_went(
    many: tuple[VectorIndex, Vectors],
) -> None:
    index, vectors = many
    assert index.remove([1000, 1001, 5]) == 2
    index.add([9], vectors[:1])
    assert len(index) == 2999
    ids = index.search(vectors[:1], 2999)[1][0].tolist()
    assert ids[0] == 9
    assert not {1000, 1001} & set(ids)


def test_a_search_among_some_ids_finds_only_those(many: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = many
    index.add([9], vectors[:1])
    only = np.asarray([9, 2000, 3500])
    ids = index.search(vectors[:1], 5, only=only)[1]
    nearer = sorted([2000, 3500], key=lambda key: -float(vectors[key - 1000] @ vectors[0]))
    assert ids[0].tolist()[:3] == [9, *nearer]
    assert set(ids[0].tolist()[3:]) == {-1}


def test_a_changed_index_is_not_written(many: tuple[VectorIndex, Vectors], tmp_path: Path) -> None:
    many[0].remove([1000])
    with pytest.raises(ValueError, match="built again"):
        many[0].save(tmp_path / "w.faiss", generation=2)


def test_an_index_on_a_gpu_stays_there_through_changes(
    many: tuple[VectorIndex, Vectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, vectors = many
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(
        faiss, "GpuMultipleClonerOptions", lambda: type("O", (), {})(), raising=False
    )
    copies: list[object] = []

    def copy(original: faiss.Index, _: object) -> faiss.Index:
        copies.append(original)
        return faiss.clone_index(original)

    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", copy)
    assert index.to_gpu()
    index.remove([1000])
    index.add([9], vectors[:1])
    assert index.to_gpu()
    assert len(copies) == 1
    ids = index.search(vectors[:1], 20)[1][0].tolist()
    assert ids[0] == 9
    assert 1000 not in ids
