"""Items from their file, in step with it."""

from pathlib import Path

import pytest

from agent.recommend.catalogue import Catalogue, Item, Skipped, read_items, sync_items
from knowledge.encoder_source import DEFAULT_ENCODER
from knowledge.errors import InputError
from tests.agent.recommend.shelves import write_items


def test_an_item_has_its_title_text_and_further_facts(tmp_path: Path) -> None:
    path = tmp_path / "i.jsonl"
    path.write_text('{"id": 1, "title": "T", "text": "x", "genres": ["a", "b"], "year": 1999}\n')
    assert list(read_items(path)) == [Item("1", "T", "x", {"genres": "a, b", "year": "1999"})]


def test_lines_that_are_no_item_are_named_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "i.jsonl"
    path.write_text('{"id": "a"}\nno\n[]\n{"title": "x"}\n{"id": "a"}\n\n{"id": "b"}\n')
    read = list(read_items(path))
    assert [one.line for one in read if isinstance(one, Skipped)] == [2, 3, 4, 5]
    assert [one.id for one in read if isinstance(one, Item)] == ["a", "b"]


def test_the_collection_follows_its_file(tmp_path: Path, user_folder: Path) -> None:
    root = write_items(tmp_path / "shop")
    assert sync_items(root, DEFAULT_ENCODER).changed == 30
    assert sync_items(root, DEFAULT_ENCODER).changed == 0
    lines = (root / "items.jsonl").read_text().splitlines()
    (root / "items.jsonl").write_text("\n".join([*lines[2:], '{"id": "new", "text": "new"}']))
    assert sync_items(root, DEFAULT_ENCODER).changed == 3
    opened = Catalogue.open(root)
    assert set(opened.keys_of(["new", "crime0", "crime5"])) == {"new", "crime5"}
    opened.close()


@pytest.mark.parametrize("text", [None, "", "no item\n"])
def test_without_items_there_is_a_clear_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "items.jsonl").write_text(text)
    with pytest.raises(InputError, match="items"):
        sync_items(tmp_path, DEFAULT_ENCODER)
