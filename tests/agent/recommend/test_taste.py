"""What somebody likes, from what they did."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agent.recommend.events import Event, Kind
from agent.recommend.taste import HALF_LIFE_DAYS, HALF_LIFE_ITEMS, interests, weights

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def did(item: str, kind: Kind, days_ago: float = 0) -> Event:
    return Event("u", item, kind, NOW - timedelta(days=days_ago))


def test_a_liking_fades_to_half_in_its_half_life() -> None:
    new = weights([did("a", "like")], NOW).liked
    old = weights([did("a", "like", HALF_LIFE_DAYS)], NOW).liked
    assert old["a"] == pytest.approx(new["a"] / 2)


def test_a_liking_fades_with_later_ones() -> None:
    events = [did(str(n), "like", (20 - n) / 1e6) for n in range(16)]
    liked = weights(events, NOW).liked
    assert liked["0"] == pytest.approx(liked["15"] * 0.5 ** (15 / HALF_LIFE_ITEMS), rel=1e-3)


def test_a_liking_counts_more_than_a_view() -> None:
    liked = weights([did("a", "like"), did("b", "view")], NOW).liked
    assert liked["a"] > liked["b"] > 0


def test_what_was_disliked_is_refused_also_after_a_view() -> None:
    taste = weights([did("a", "like", 3), did("a", "dislike", 2), did("a", "view", 1)], NOW)
    assert taste.refused == {"a"}
    assert not taste.liked


def test_a_change_of_mind_counts() -> None:
    taste = weights([did("a", "dislike", 2), did("a", "like", 1)], NOW)
    assert (taste.refused, set(taste.liked)) == (frozenset(), {"a"})


def test_different_likings_are_different_interests_the_stronger_first() -> None:
    east, north = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    found = interests({"a": 1.0, "b": 0.9, "c": 0.5}, {"a": east, "b": east, "c": north})
    assert [one.items for one in found] == [("a", "b"), ("c",)]
    assert sum(one.share for one in found) == pytest.approx(1)
