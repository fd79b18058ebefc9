"""A small catalogue of books over the fake encoder, and readers with two tastes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.recommend.catalogue import FOLDER, Catalogue, Item, document_of
from agent.recommend.events import Event
from knowledge.collection import Collection, current_folder
from knowledge.open_index import OpenIndex
from tests.knowledge.fake_encoder import FakeEncoder

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("crime murder detective", "garden flowers soil", "space rocket planet")


def items() -> list[Item]:
    """Ten books of each kind, longer and longer."""
    return [
        Item(
            f"{kind.split()[0]}{n}",
            f"{kind.split()[0].title()} {n}",
            f"{kind} volume{n}",
            {"pages": str(100 + 10 * n), "shelf": kind.split()[0]},
        )
        for kind in KINDS
        for n in range(10)
    ]


def catalogue(root: Path) -> Catalogue:
    """The books, indexed in a project's folder."""
    encoder = FakeEncoder(dimensions=128)
    Collection.open(root / FOLDER, encoder).upsert(document_of(item) for item in items())
    place = current_folder(root / FOLDER)
    assert place is not None
    return Catalogue(OpenIndex(place, encoder=encoder))


def likes(user: str, *names: str, kind: str = "like") -> list[Event]:
    """Likings, one a day, the last one today."""
    return [
        Event(user, name, kind, NOW - timedelta(days=len(names) - 1 - n))  # type: ignore[arg-type]
        for n, name in enumerate(names)
    ]


def readers(count: int = 40) -> dict[str, list[Event]]:
    """Half read crime, half gardening; each leaves out one book."""
    found = {}
    for n in range(count):
        kind = ("crime", "garden")[n % 2]
        names = [f"{kind}{(n // 2 + i) % 10}" for i in range(9)]
        found[f"r{n}"] = likes(f"r{n}", *names)
    return found


def write_items(root: Path) -> Path:
    """The books as a project's file."""
    lines = [json.dumps({"id": i.id, "title": i.title, "text": i.text, **i.facts}) for i in items()]
    root.mkdir(parents=True, exist_ok=True)
    (root / "items.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return root
