"""What somebody asks for now: words, bounds on facts, "like this one but shorter"."""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent.recommend.bounds import Bound, bounds_of

if TYPE_CHECKING:
    from agent.recommend.catalogue import Catalogue

Vectors = NDArray[np.float32]

# A word that compares: the facts that it may speak of, and in which direction.
_COMPARATIVES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "shorter": (("minutes", "length", "duration", "pages"), -1),
    "longer": (("minutes", "length", "duration", "pages"), 1),
    "cheaper": (("price", "cost"), -1),
    "newer": (("year", "date"), 1),
    "older": (("year", "date"), -1),
    "smaller": (("size",), -1),
    "bigger": (("size",), 1),
}
_LIKE = re.compile(r"\b(?:like|similar to)\s+(?:the\s+)?(?:last|previous|that|this)\b", re.I)
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_LIKE_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for.

    `text` is the message; `facts` must be as given (genre, language …); `last` is the item
    that "like the last one" and "shorter" refer to.
    """

    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    last: str | None = None

    def vector(self, catalogue: "Catalogue") -> Vectors | None:
        """What the words mean (H,), drawn towards the last item where they refer to it."""
        words = _LIKE.sub(" ", self.text)
        for bound in bounds_of(self.text, catalogue.fact_names):
            words = words.replace(bound.phrase, " ")
        for comparative in _COMPARATIVES:
            words = re.sub(rf"\b(?:but\s+)?{comparative}\b", " ", words, flags=re.I)
        last = self._last_vector(catalogue)
        if not words.strip():
            return last
        said: Vectors = catalogue.encode([words])[0]
        if last is None:
            return said
        mixed = (1 - _LIKE_SHARE) * said + _LIKE_SHARE * last
        result: Vectors = (mixed / np.linalg.norm(mixed)).astype(np.float32)
        return result

    def _last_vector(self, catalogue: "Catalogue") -> Vectors | None:
        if self.last is None or not (_LIKE.search(self.text) or self._comparatives()):
            return None
        return catalogue.vectors_of([self.last]).get(self.last)

    def keys(self, catalogue: "Catalogue") -> NDArray[np.int64] | None:
        """The numbers of the items that may be suggested; None: all."""
        bounds = bounds_of(self.text, catalogue.fact_names)
        compared = self._compared(catalogue)
        if compared is not None:
            bounds.append(compared)
        if not self.facts and not bounds:
            return None
        store = catalogue.index.store
        keys = store.keys_where(self.facts)
        for bound in bounds:
            values = store.numbers_of(bound.fact, keys)
            kept = [key for key, value in values.items() if bound.holds(value)]
            keys = np.array(sorted(kept), dtype=np.int64)
        return keys

    def _comparatives(self) -> list[str]:
        return [word for word in _COMPARATIVES if re.search(rf"\b{word}\b", self.text, re.I)]

    def _compared(self, catalogue: "Catalogue") -> Bound | None:
        """The last item's value as the bound of the fact that is compared with it."""
        found = self._comparatives()
        if not found or self.last is None:
            return None
        item = catalogue.items([self.last]).get(self.last)
        names, direction = _COMPARATIVES[found[0]]
        for name in names:
            number = _NUMBER.search(item.facts.get(name, "")) if item else None
            if number:
                compare = operator.lt if direction < 0 else operator.gt
                return Bound(name, compare, float(number[0].replace(",", ".")), found[0])
        return None
