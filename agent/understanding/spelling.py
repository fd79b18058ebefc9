"""What the words and letters of a message say of its label, in a language no encoder knows.

An encoder hardly tells apart the words of a language that it never read. The n-grams of the
training data's own words tell what they say in any language; a linear map of them is added to
what the network makes of a message.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError

Floats = NDArray[np.float32]

FORMAT = 1
TERMS_FILE = "spelling.json"
WEIGHTS_FILE = "spelling.npz"
_LONGEST = 4
_MOST_CHARACTERS = 1024
_WORDS_KEPT = 1024


@lru_cache(maxsize=_WORDS_KEPT)
def _terms_of_word(word: str) -> tuple[str, ...]:
    """The word itself, and its n-grams of 1 to 4 characters; spaces mark where it ends."""
    padded = f" {word} "
    longer = (
        padded[start : start + size]
        for size in range(2, _LONGEST + 1)
        for start in range(len(padded) - size + 1)
    )
    return (f"{word}\n", *word, *longer)


class _Apart(dict[int, str]):
    """A table for `str.translate`: signs stand alone, every digit is a nought."""

    def __missing__(self, code: int) -> str:
        kind = unicodedata.category(chr(code))
        shown = "0" if kind == "Nd" else f" {chr(code)} " if kind[0] in "PS" else chr(code)
        self[code] = shown
        return shown


_APART = _Apart()


def terms_of(text: str) -> Counter[str]:
    """How often each n-gram of characters, word and pair of words occurs in a text.

    >>> sorted(terms_of("Ja"))
    [' j', ' ja', ' ja ', 'a', 'a ', 'j', 'ja', 'ja\\n', 'ja ']
    """
    words = (
        unicodedata.normalize("NFKC", text[:_MOST_CHARACTERS]).casefold().translate(_APART).split()
    )
    found: Counter[str] = Counter()
    for word in words:
        found.update(_terms_of_word(word))
    found.update(f"{first}\n{second}" for first, second in pairwise(words))
    return found


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms that the training data knows, with the rarity (V,) of each (tf-idf)."""

    places: Mapping[str, int]
    rarity: Floats

    def vector(self, text: str) -> tuple[NDArray[np.int64], Floats]:
        """The places (k,) of a text's known terms and their weights (k,), of unit length."""
        counts = terms_of(text)
        known = [(self.places[term], n) for term, n in counts.items() if term in self.places]
        places = np.array([place for place, _ in known], dtype=np.int64)
        often = np.array([n for _, n in known], dtype=np.float32)
        weights = (1.0 + np.log(often)) * self.rarity[places]
        length = float(np.sqrt(weights @ weights)) or 1.0
        return places, (weights / length).astype(np.float32)


_NO_TERMS = Terms({}, np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class Spelling:
    """What is added to the logits of an output: `weights` has (V, C) for each that it speaks of.

    Outputs are named as the network names them (`intent_logits`, `head_<name>`). `shares` tells, of
    letters that learned apart from the network, how much they count beside it.
    """

    terms: Terms = _NO_TERMS
    weights: Mapping[str, NDArray[np.float16]] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def add_to(self, outputs: Mapping[str, Floats], texts: Sequence[str]) -> dict[str, Floats]:
        """The network's outputs for n texts, with what their terms say added to logits (n, C)."""
        if not self.weights:
            return dict(outputs)
        vectors = [self.terms.vector(text) for text in texts]
        added = dict(outputs)
        for name, weights in self.weights.items():
            rows = [values @ weights[places].astype(np.float32) for places, values in vectors]
            added[name] = outputs[name] + np.stack(rows)
        return added

    def save(self, folder: Path) -> None:
        """Write `spelling.json` and `spelling.npz` into the folder; nothing if there is nothing."""
        if not self.weights:
            return
        terms = list(self.terms.places)
        document = {"format": FORMAT, "shares": dict(self.shares), "terms": terms}
        text = json.dumps(document)
        (folder / TERMS_FILE).write_text(text, encoding="utf-8")
        arrays: dict[str, Any] = {f"weights/{name}": w for name, w in self.weights.items()}
        np.savez(folder / WEIGHTS_FILE, rarity=self.terms.rarity, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What a model folder holds of it; empty if the model has none.

        Raises:
            ModelError: its files are damaged, of another format or do not fit together.
        """
        if not (folder / TERMS_FILE).is_file():
            return cls()
        try:
            document = json.loads((folder / TERMS_FILE).read_text(encoding="utf-8"))
            version, terms = document["format"], document["terms"]
            shares = {str(k): float(v) for k, v in document.get("shares", {}).items()}
            with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
            rarity = found.pop("rarity")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(folder, f"cannot be read ({error})") from error
        if version != FORMAT:
            raise _damaged(folder, f"has format {version!r}, this program reads {FORMAT}")
        if any(len(values) != len(terms) for values in (rarity, *found.values())):
            raise _damaged(folder, "differ in length")
        places = {term: place for place, term in enumerate(terms)}
        weights = {name.removeprefix("weights/"): values for name, values in found.items()}
        return cls(Terms(places, rarity), weights, shares)


def _damaged(folder: Path, what: str) -> ModelError:
    return ModelError(f"{folder}: {TERMS_FILE} or {WEIGHTS_FILE} {what}; run `agent train` again")
