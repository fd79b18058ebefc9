from pathlib import Path

import pytest

from knowledge.collection import STORE_FILE, Collection, current_folder
from knowledge.index import VectorIndex
from knowledge.passage import Document
from knowledge.passage_store import PassageStore
from knowledge.retriever import open_retriever
from knowledge.vector_cache import VECTORS_FILE, keep_vectors
from tests.knowledge.fake_encoder import FakeEncoder


@pytest.fixture
def collection(tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Collection:
    monkeypatch.setattr("knowledge.vector_cache.KEEP_FROM", 10)
    collection = Collection.open(tmp_path / "index", FakeEncoder(dimensions=2048))
    collection.upsert(Document(str(n), "", f"number{n} text") for n in range(40))
    return collection


def place_of(collection: Collection) -> Path:
    place = current_folder(collection.folder)
    assert place is not None
    return place


def found(collection: Collection, query: str) -> str:
    retriever = open_retriever(collection.folder, encoder=collection.encoder)
    return retriever.search_all(query, mode="dense")[0].passage.document_id


def test_a_large_collection_keeps_its_vectors(collection: Collection) -> None:
    assert (place_of(collection) / VECTORS_FILE).is_file()
    assert found(collection, "number7 text") == "7"


def test_what_changed_since_is_taken_up(collection: Collection) -> None:
    before = (place_of(collection) / VECTORS_FILE).stat().st_mtime_ns
    collection.upsert([Document("7", "", "a zebra")])
    assert (place_of(collection) / VECTORS_FILE).stat().st_mtime_ns == before
    assert found(collection, "zebra") == "7"
    assert found(collection, "number7 text") != "7"


def test_after_many_changes_the_file_is_written_again(collection: Collection) -> None:
    before = (place_of(collection) / VECTORS_FILE).stat().st_mtime_ns
    collection.upsert(Document(str(n), "", f"zebra{n}") for n in range(10))
    assert (place_of(collection) / VECTORS_FILE).stat().st_mtime_ns != before
    assert found(collection, "zebra3") == "3"


@pytest.mark.parametrize("damage", ["truncate", "no note"])
def test_a_damaged_file_is_passed_over(collection: Collection, damage: str) -> None:
    path = place_of(collection) / VECTORS_FILE
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.with_suffix(".json").unlink()
    assert found(collection, "number7 text") == "7"


def test_a_file_from_the_future_is_passed_over(collection: Collection) -> None:
    place = place_of(collection)
    store = PassageStore(place / STORE_FILE)
    VectorIndex(collection.encoder.dimensions).save(
        place / VECTORS_FILE, generation=store.generation() + 5
    )
    assert found(collection, "number7 text") == "7"


def test_a_small_collection_keeps_no_file(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.vector_cache.KEEP_FROM", 100)
    place = place_of(collection)
    assert not keep_vectors(PassageStore(place / STORE_FILE), place, 2048)
