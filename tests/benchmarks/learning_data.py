"""Labelled messages of the learning benchmark, with the frozen encoder's vectors."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.encoder_source import DEFAULT_ENCODER
from training.corpus import stable_order

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Messages:
    """Texts with their n gold intents and unit vectors (n, H)."""

    texts: tuple[str, ...]
    intents: tuple[str, ...]
    vectors: Floats

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> "Messages":
        """Some of them, in the order of `rows`."""
        chosen = list(rows)
        return Messages(
            tuple(self.texts[i] for i in chosen),
            tuple(self.intents[i] for i in chosen),
            self.vectors[chosen],
        )

    def joined(self, other: "Messages") -> "Messages":
        """These and those."""
        return Messages(
            (*self.texts, *other.texts),
            (*self.intents, *other.intents),
            np.concatenate([self.vectors, other.vectors]),
        )


class Vectors(dict[str, Floats]):
    """The vector (H,) of every text; one that is asked for the first time is encoded."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def __missing__(self, text: str) -> Floats:
        self[text] = np.asarray(self.encoder.encode([text])[0], dtype=np.float32)
        return self[text]


@dataclass(frozen=True, slots=True)
class Split:
    """What the assistant begins with, what users write, and what measures."""

    name: str
    base: Messages
    stream: Messages
    test: Messages
    vectors: Vectors


def find_sets(data: Path) -> list[Path]:
    """The folder itself if it holds `train.jsonl` and `test.jsonl`, else the two usual ones."""
    if (data / "train.jsonl").is_file():
        return [data]
    return [data / name for name in ("banking77", "clinc150") if (data / name).is_dir()]


def load(folder: Path, *, base: int, stream: int, test: int) -> Split:
    """A set split by a stable hash; texts outside every intent and repeated ones are left out.

    A small set gives half of its training data as base and the rest as stream.
    """
    train = _rows(folder / "train.jsonl")
    taken = {stable_order(text) for text, _ in train}
    tests = [row for row in _rows(folder / "test.jsonl") if stable_order(row[0]) not in taken]
    train = _balanced(train)
    base = min(base, len(train) // 2)
    parts = [train[:base], train[base : base + stream], _balanced(tests)[:test]]
    encoder = Encoder.load(encoder_folder(DEFAULT_ENCODER))
    first, second, third = (_encoded(part, encoder) for part in parts)
    vectors = Vectors(encoder)
    for part in (first, second, third):
        vectors.update(zip(part.texts, part.vectors, strict=True))
    return Split(folder.resolve().name, first, second, third, vectors)


def balanced_rows(path: Path) -> list[tuple[str, str]]:
    """The (text, intent) of a file, so ordered that every beginning is balanced."""
    return _balanced(_rows(path))


def _rows(path: Path) -> list[tuple[str, str]]:
    rows: dict[str, tuple[str, str]] = {}
    with path.open(encoding="utf-8") as file:
        for line in filter(str.strip, file):
            data = json.loads(line)
            text, intent = data["text"], data.get("intent", data.get("label"))
            if text.strip() and intent not in (None, "", "oos"):
                rows.setdefault(stable_order(text), (text, intent))
    return [rows[key] for key in sorted(rows)]


def _balanced(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows so ordered that every beginning has a like number of each intent."""
    turn: dict[str, int] = {}
    keyed = []
    for row in rows:
        turn[row[1]] = turn.get(row[1], 0) + 1
        keyed.append((turn[row[1]], stable_order(row[0]), row))
    return [row for _, _, row in sorted(keyed)]


def _encoded(rows: Sequence[tuple[str, str]], encoder: Encoder) -> Messages:
    texts = tuple(text for text, _ in rows)
    vectors = np.asarray(encoder.encode(texts), dtype=np.float32)
    return Messages(texts, tuple(intent for _, intent in rows), vectors)
