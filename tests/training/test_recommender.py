"""Learning what to suggest: it serves only if it suggests better."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.recommend.catalogue import Catalogue
from agent.recommend.model import FEATURES, Learned
from agent.recommend.shelf import current_version, publish
from tests.agent.recommend.shelves import catalogue, likes, readers
from training import recommender
from training.errors import DataError
from training.recommender import Recipe, fit, learn_recommender, split

PAIR = ("crime", "space")


def test_the_latest_of_each_person_is_held_out() -> None:
    before, cases = split({"u": likes("u", *(f"i{n}" for n in range(10)))}, 0.2)
    assert [event.item for event in before["u"]] == [f"i{n}" for n in range(8)]
    assert cases[0].wanted == {"i8", "i9"}


def test_behaviour_that_helps_is_promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    books = catalogue(tmp_path)
    monkeypatch.setattr(Catalogue, "open", lambda _: books)
    profiles = {
        f"p{n}": likes(f"p{n}", *(f"{kind}{(n + i) % 10}" for i in range(5) for kind in PAIR))
        for n in range(80)
    }
    done = learn_recommender(tmp_path, profiles)
    assert (done.decision, done.champion is not None) == ("promoted", True)
    version = current_version(tmp_path)
    assert version is not None
    assert set(json.loads((version / "recommender.json").read_text())["weights"]) == set(FEATURES)


def test_a_challenger_that_is_no_better_does_not_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = catalogue(tmp_path)
    monkeypatch.setattr(Catalogue, "open", lambda _: books)
    monkeypatch.setattr(recommender, "ndcg", lambda *_: 0.5)
    served = publish(tmp_path, fit(split(readers())[0]))
    assert learn_recommender(tmp_path, readers()).decision == "kept"
    assert current_version(tmp_path) == served


def test_what_the_champion_was_fitted_to_does_not_judge_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = catalogue(tmp_path)
    monkeypatch.setattr(Catalogue, "open", lambda _: books)
    publish(tmp_path, fit(readers()))
    assert learn_recommender(tmp_path, readers()).decision == "nothing to learn"


def test_little_behaviour_teaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    books = catalogue(tmp_path)
    monkeypatch.setattr(Catalogue, "open", lambda _: books)
    assert learn_recommender(tmp_path, readers(4)).decision == "nothing to learn"


def test_nobodys_likings_cannot_be_fitted() -> None:
    with pytest.raises(DataError, match="no behaviour"):
        fit({"u": likes("u", "a", kind="dislike")})


def test_a_few_older_recommenders_are_kept(tmp_path: Path) -> None:
    model = fit(readers())
    folders = [publish(tmp_path, model) for _ in range(5)]
    assert [folder.is_dir() for folder in folders] == [False, False, True, True, True]
    assert Learned.load(folders[-1]).items == model.items


def test_a_newcomer_expects_what_those_with_the_same_liking_liked() -> None:
    rng = np.random.default_rng(0)
    liked = rng.random((40, 9)) < 0.4
    people = {
        f"r{row}": likes(f"r{row}", *(f"i{n}" for n in np.flatnonzero(liked[row])))
        for row in range(40)
        if liked[row].any()
    }
    model = fit(people, Recipe(prior=5.0))
    at = [int(name.removeprefix("i")) for name in model.items]
    counts = liked.T.astype(float) @ liked
    popularity = liked.sum(axis=0) / len(people)
    wanted = [(counts[i] + 5 * popularity) / (counts[i, i] + 5) for i in (2, 3)]
    found = model.together_scores({"i2": 1.0, "i3": 3.0})
    expected = (0.25 * wanted[0] + 0.75 * wanted[1])[at]
    others = [row for row, n in enumerate(at) if n not in (2, 3)]
    assert found[others] == pytest.approx(expected[others], rel=2e-3)
