"""What was learned of everybody: a person's factors, neighbours, a damaged folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from agent.errors import ModelError
from agent.recommend.model import Learned


def learned(factors: np.ndarray) -> Learned:
    count = len(factors)
    arrays: dict[str, Any] = {
        "factors": factors.astype(np.float32),
        "neighbours": np.array([[(i + 1) % count] for i in range(count)], np.int32),
        "nearness": np.full((count, 1), 0.5, np.float16),
        "popularity": np.linspace(1, 0.1, count).astype(np.float32),
    }
    return Learned([f"i{n}" for n in range(count)], arrays, alpha=2.0, regularization=0.1)


def test_a_persons_scores_are_those_of_the_library() -> None:
    rng = np.random.default_rng(0)
    dense = (rng.random((30, 12)) < 0.3).astype(np.float32)
    dense[0, :3] = 1
    matrix = csr_matrix(dense)
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=4, alpha=2.0, regularization=0.1, random_state=0)
        als.fit(matrix, show_progress=False)
    model = learned(np.asarray(als.item_factors))
    liked = {f"i{column}": 1.0 for column in matrix[0].indices}
    person = als.recalculate_user(0, matrix[0])
    # The library counts a liked item alpha times, ours 1 + alpha: the order is what matters.
    theirs = np.asarray(als.item_factors) @ person
    ours = model.factor_scores(liked)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_somebody_of_whom_nothing_is_known_gets_no_scores() -> None:
    model = learned(np.eye(3))
    assert not model.factor_scores({"unknown": 1.0}).any()
    assert not model.neighbour_scores({}).any()


def test_a_neighbour_of_what_was_liked_scores() -> None:
    assert learned(np.eye(3)).neighbour_scores({"i0": 1.0}).tolist() == [0, 0.5, 0]


def test_of_somebody_unknown_popularity_is_expected() -> None:
    model = learned(np.eye(3))
    assert model.together_scores({}).tolist() == model.popularity.tolist()


def test_a_recommender_without_partners_expects_popularity(tmp_path: Path) -> None:
    learned(np.eye(3)).save(tmp_path)
    path = tmp_path / "recommender.json"
    facts = json.loads(path.read_text("utf-8"))
    del facts["weights"]["together"]
    path.write_text(json.dumps({**facts, "format": 1, "weights_new": {}}), "utf-8")
    model = Learned.load(tmp_path)
    assert model.together_scores({"i1": 1.0}).tolist() == model.popularity.tolist()


def test_another_format_is_refused(tmp_path: Path) -> None:
    learned(np.eye(3)).save(tmp_path)
    path = tmp_path / "recommender.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "format": 9}), "utf-8")
    with pytest.raises(ModelError, match="format 9, this reads 1 and 2"):
        Learned.load(tmp_path)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    model = learned(np.eye(3))
    model.save(tmp_path)
    again = Learned.load(tmp_path)
    assert again.items == model.items
    assert np.array_equal(again.factor_scores({"i1": 1.0}), model.factor_scores({"i1": 1.0}))


@pytest.mark.parametrize("name", ["recommender.json", "recommender.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
def test_a_damaged_folder_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    learned(np.eye(3)).save(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if damage != "missing":
        (tmp_path / name).write_bytes(data[: len(data) // 2] if damage == "truncated" else b"")
    with pytest.raises(ModelError, match="cannot be read"):
        Learned.load(tmp_path)
