"""What was learned from everybody's behaviour: factors, neighbours, partners, how to weigh."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from agent.errors import ModelError

Floats = NDArray[np.float32]

FORMAT = 2
_READ = (1, 2)  # format 1 has no partners
FACTS_FILE = "recommender.json"
ARRAYS_FILE = "recommender.safetensors"
FEATURES = ("text", "query", "factors", "neighbours", "popular", "together", "fresh")


@dataclass(frozen=True, slots=True)
class Weighing:
    """How the evidence for an item is added up: a weight for each of `FEATURES`, in that order."""

    weights: tuple[float, ...] = (0.3, 4.0, 1.0, 1.0, 0.3, 0.0, 0.0)

    def __call__(self, features: Floats) -> Floats:
        """Scores (n,) of features (n, F); higher is better."""
        result: Floats = features @ np.asarray(self.weights, dtype=np.float32)
        return result


DEFAULT = Weighing()
# Of somebody of whom little is known, what most people like says more than what looks alike:
# `together` is drawn to it by as much as there is doubt.
DEFAULT_NEW = Weighing((0.2, 4.0, 0.2, 0.0, 0.0, 1.0, 0.0))
FEW = 12


class Learned:
    """Item factors (n, f) of implicit ALS, item neighbours and partners (n, k), popularity.

    A person's factors are solved for from what they did (Hu, Koren and Volinsky 2008, equation
    4), so that a new event counts at once and a new person needs no training.

    Args:
        items: the items' ids, in the order of the rows.
        arrays: `factors` (n, f), `neighbours` (n, k) row numbers, `nearness` (n, k) and
            `popularity` (n,), the share of people who liked each item; `partners` (n, k) row
            numbers, `shares` (n, k) and `doubt` (n,), see `together_scores`.
        alpha: how much more a liked item counts than an unknown one.
        regularization: of the least squares.
        weighing: how to add up the evidence; `DEFAULT_NEW` for at most `FEW` likings.
        seen_until: the time of the latest behaviour that it was fitted to.
    """

    def __init__(
        self,
        items: Sequence[str],
        arrays: Mapping[str, NDArray[Any]],
        *,
        alpha: float,
        regularization: float,
        weighing: Weighing = DEFAULT,
        seen_until: datetime | None = None,
    ) -> None:
        self.seen_until = seen_until
        self.items = tuple(items)
        self.arrays = arrays
        self.alpha, self.regularization = alpha, regularization
        self.weighing = weighing
        self.rows = {item: row for row, item in enumerate(self.items)}

    @property
    def popularity(self) -> Floats:
        """The share of people who liked each item (n,)."""
        return self.arrays["popularity"].astype(np.float32)

    @cached_property
    def _gram(self) -> Floats:
        factors = self.arrays["factors"].astype(np.float32)
        result: Floats = factors.T @ factors
        return result

    def factor_scores(self, liked: Mapping[str, float]) -> Floats:
        """How well each item (n,) fits a person by the factors; zeros where nothing is known."""
        factors = self.arrays["factors"].astype(np.float32, copy=False)
        rows, weights = self._rows_of(liked)
        if not len(rows) or not factors.shape[1]:
            return np.zeros(len(self.items), dtype=np.float32)
        mine = factors[rows]  # (m, f)
        confidence = self.alpha * weights
        left = self._gram + (mine.T * confidence) @ mine
        left += self.regularization * np.eye(left.shape[0], dtype=np.float32)
        person = np.linalg.solve(left, mine.T @ (1.0 + confidence))  # (f,)
        result: Floats = (factors @ person).astype(np.float32)
        return result

    def neighbour_scores(self, liked: Mapping[str, float]) -> Floats:
        """How near each item (n,) is to what the person liked, by who else liked both."""
        scores = np.zeros(len(self.items), dtype=np.float32)
        rows, weights = self._rows_of(liked)
        near, nearness = self.arrays["neighbours"], self.arrays["nearness"]
        for row, weight in zip(rows, weights, strict=True):
            scores[near[row].astype(np.intp)] += weight * nearness[row].astype(np.float32)
        return scores

    def together_scores(self, liked: Mapping[str, float]) -> Floats:
        """How likely each item (n,) is liked by somebody who liked the same items, in [0, 1].

        The mean over the liked items i of P(j | i) = (n_ij + k p_j) / (n_i + k), where n counts
        people and p is the popularity: as if k more people of common taste had liked i. So the
        fewer liked what the person liked, the more popularity decides; it alone where nothing
        is known.
        """
        rows, weights = self._rows_of(liked)
        if not len(rows) or "partners" not in self.arrays:
            return self.popularity
        scores = np.zeros(len(self.items), dtype=np.float32)
        weights = weights / weights.sum()
        partners, shares, doubt = (self.arrays[name] for name in ("partners", "shares", "doubt"))
        for row, weight in zip(rows, weights, strict=True):
            scores[partners[row].astype(np.intp)] += weight * shares[row].astype(np.float32)
        return scores + float(weights @ doubt[rows]) * self.popularity

    def nearness_to(self, item: str) -> dict[str, float]:
        """The neighbours of a known item with their nearness, as shares of the nearest's."""
        row = self.rows[item]
        near, nearness = self.arrays["neighbours"][row], self.arrays["nearness"][row]
        top = float(nearness.astype(np.float32).max(initial=0.0)) or 1.0
        pairs = zip(near.tolist(), nearness.tolist(), strict=True)
        return {self.items[n]: float(weight) / top for n, weight in pairs}

    def _rows_of(self, liked: Mapping[str, float]) -> tuple[NDArray[np.intp], Floats]:
        known = [(self.rows[item], weight) for item, weight in liked.items() if item in self.rows]
        rows = np.array([row for row, _ in known], dtype=np.intp)
        return rows, np.array([weight for _, weight in known], dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write into a folder that nobody reads yet."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        save_file(arrays, folder / ARRAYS_FILE)
        facts = {
            "format": FORMAT,
            "items": list(self.items),
            "alpha": self.alpha,
            "regularization": self.regularization,
            "weights": _named(self.weighing),
            "seen_until": self.seen_until.isoformat() if self.seen_until else None,
        }
        (folder / FACTS_FILE).write_text(json.dumps(facts, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Learned":
        """Read what `save` wrote.

        Raises:
            ModelError: missing, damaged, or of another format.
        """
        try:
            facts = json.loads((folder / FACTS_FILE).read_text("utf-8"))
            if facts["format"] not in _READ:
                known = " and ".join(map(str, _READ))
                raise ModelError(f"{folder}: format {facts['format']!r}, this reads {known}")
            arrays = load_file(folder / ARRAYS_FILE)
            learned = cls(
                facts["items"],
                arrays,
                alpha=facts["alpha"],
                regularization=facts["regularization"],
                weighing=_weighing(facts["weights"]),
                seen_until=_time(facts.get("seen_until")),
            )
            if any(len(array) != len(learned.items) for array in arrays.values()):
                raise ValueError("its parts differ in length")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(
                f"{folder}: the recommender cannot be read ({error}); run `agent learn-recommender`"
            ) from error
        return learned


def _named(weighing: Weighing) -> dict[str, float]:
    return dict(zip(FEATURES, weighing.weights, strict=True))


def _time(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def _weighing(stored: Mapping[str, float]) -> Weighing:
    return Weighing(tuple(float(stored.get(name, 0.0)) for name in FEATURES))
