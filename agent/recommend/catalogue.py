"""The items that can be suggested: a knowledge collection made from `items.jsonl`."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.collection import Collection, current_folder
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.errors import AgentError, InputError
from knowledge.open_index import OpenIndex
from knowledge.passage import Document

Vectors = NDArray[np.float32]

ITEMS_FILE = "items.jsonl"
FOLDER = Path(".agent") / "items"
_DIGEST = "items.sha256"
_MAX_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Item:
    """Something to suggest; `facts` are its other fields, as strings, lists joined by `, `."""

    id: str
    title: str
    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line of the items that is none, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sync:
    """What bringing the collection up to date did."""

    items: int
    changed: int
    skipped: tuple[Skipped, ...] = ()


def read_items(path: Path) -> Iterator[Item | Skipped]:
    """Items of a JSONL file: `id`, `title`, `text` and what else is known of them.

    Raises:
        InputError: the file cannot be read.
    """
    seen: set[str] = set()
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    item = _item(line)
                    if item.id in seen:
                        raise InputError(f"the id {item.id!r} stands above already")
                    seen.add(item.id)
                    yield item
                except InputError as error:
                    yield Skipped(number, error.message)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error


def sync_items(root: Path, encoder_name: str) -> Sync:
    """Bring the collection in step with the project's `items.jsonl`; quick when it did not change.

    Raises:
        InputError: there is no such file.
        AgentError: the collection cannot be written.
    """
    path = root / ITEMS_FILE
    if not path.is_file():
        raise InputError("there are no items to suggest: write them there", path=path)
    folder = root / FOLDER
    digest = _digest(path)
    mark = folder / _DIGEST
    if current_folder(folder) is not None and mark.is_file() and mark.read_text() == digest:
        return Sync(0, 0)
    found: list[Item] = []
    skipped: list[Skipped] = []
    for one in read_items(path):
        if isinstance(one, Item):
            found.append(one)
        else:
            skipped.append(one)
    if not found:
        raise InputError("holds no item: lines are {id, title, text}", path=path)
    collection = Collection.open(folder, Encoder.load(encoder_folder(encoder_name), threads=0))
    report = collection.upsert(document_of(item) for item in found)
    gone = _missing(folder, {item.id for item in found})
    removed = collection.delete(gone).deleted if gone else 0
    mark.write_text(digest)
    changed = report.added + report.updated + removed
    return Sync(len(found), changed, tuple(skipped))


@dataclass
class Catalogue:
    """The collection of items, opened for reading."""

    index: OpenIndex

    @classmethod
    def open(cls, root: Path) -> "Catalogue":
        """The items of a project.

        Raises:
            AgentError: there is no collection yet.
        """
        place = current_folder(root / FOLDER)
        if place is None:
            raise AgentError(f"{root}: no items are indexed yet; run `agent recommend USER`")
        return cls(OpenIndex(place))

    def __len__(self) -> int:
        return self.index.store.counts()[0]

    @cached_property
    def fact_names(self) -> frozenset[str]:
        """The names of the facts that the first items have."""
        _, keys = self.index.vectors.search(
            np.zeros((1, self.index.vectors.dimensions), np.float32), 50
        )
        passages = self.index.store.passages([int(key) for key in keys[0] if key >= 0])
        return frozenset(name for one in passages.values() for name in one.metadata)

    def keys_of(self, items: Sequence[str]) -> dict[str, int]:
        """The numbers of those of the items that there are."""
        return self.index.store.keys_of(items)

    def ids_of(self, keys: Sequence[int]) -> dict[int, str]:
        """The items under numbers."""
        return self.index.store.document_ids(keys)

    def vectors_of(self, items: Sequence[str]) -> dict[str, Vectors]:
        """Unit vectors (H,) of those of the items that there are."""
        keys = self.keys_of(items)
        found, rows = self.index.store.vectors(list(keys.values()))
        by_key = dict(zip(found, rows, strict=True))
        return {item: by_key[key] for item, key in keys.items() if key in by_key}

    def nearest(
        self, vectors: Vectors, limit: int, *, only: NDArray[np.int64] | None = None
    ) -> list[dict[str, float]]:
        """For each row of (n, H) the items that are like it, by cosine in [-1, 1]."""
        scores, keys = self.index.vectors.search(vectors, limit, only=only)
        names = self.ids_of([int(key) for key in np.unique(keys) if key >= 0])
        return [
            {names[int(k)]: float(s) for s, k in zip(*row, strict=True) if int(k) in names}
            for row in zip(scores, keys, strict=True)
        ]

    def items(self, ids: Sequence[str]) -> dict[str, Item]:
        """The items by their ids, unknown ones left out."""
        keys = self.keys_of(ids)
        passages = self.index.store.passages(list(keys.values()))
        found = {}
        for item, key in keys.items():
            passage = passages[key]
            found[item] = Item(item, passage.title, passage.text, passage.metadata)
        return found

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (n, H) of what people say."""
        return self.index.encoder.encode_queries(texts)

    def close(self) -> None:
        """Let the files go."""
        self.index.close()


def _item(line: str) -> Item:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON object: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"is no JSON object: {str(data)[:60]!r}")
    identifier = data.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int) or identifier == "":
        raise InputError(f"id must be a name or number, not {identifier!r}")
    title = str(data.get("title") or "").strip() or str(identifier)
    text = str(data.get("text") or "").strip()[:_MAX_TEXT]
    facts = {k: _fact(v) for k, v in data.items() if k not in ("id", "title", "text")}
    return Item(str(identifier), title[:500], text, {k: v for k, v in facts.items() if v})


def _fact(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_fact(one) for one in value)
    return "" if value is None or isinstance(value, dict) else str(value)


def document_of(item: Item) -> Document:
    """An item as the collection keeps it."""
    return Document(item.id, item.title, item.text or item.title, metadata=dict(item.facts))


def _missing(folder: Path, present: set[str]) -> list[str]:
    """Items of the collection that the file has no more."""
    place = current_folder(folder)
    if place is None:
        return []
    index = OpenIndex(place)
    try:
        return [name for name in index.store.all_documents() if name not in present]
    finally:
        index.close()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
