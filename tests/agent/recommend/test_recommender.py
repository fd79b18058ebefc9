"""Suggestions: by words, by others' behaviour, by a wish; never what was disliked."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.recommend.catalogue import Catalogue
from agent.recommend.recommender import Recommender, Suggestion
from agent.recommend.wishes import Wishes
from tests.agent.recommend.shelves import NOW, catalogue, items, likes, readers
from training.recommender import fit


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    opened = catalogue(tmp_path_factory.mktemp("shop"))
    yield opened
    opened.close()


def ids(found: list[Suggestion]) -> list[str]:
    return [one.item.id for one in found]


def test_items_like_those_that_somebody_liked_come_first(books: Catalogue) -> None:
    found = Recommender(books, diversity=0.0).recommend(likes("u", "crime1", "crime2"), 5, at=NOW)
    assert all(name.startswith("crime") for name in ids(found))


def test_a_reason_names_what_was_liked(books: Catalogue) -> None:
    found = Recommender(books).recommend(likes("u", "space3"), 3, at=NOW)
    assert found[0].reason == "because you liked Space 3"


def test_two_interests_both_have_their_share(books: Catalogue) -> None:
    events = likes("u", "crime1", "garden1", "crime2", "garden2")
    found = ids(Recommender(books).recommend(events, 8, at=NOW))
    assert {name.rstrip("0123456789") for name in found} >= {"crime", "garden"}


def test_what_is_known_already_is_not_suggested(books: Catalogue) -> None:
    events = likes("u", "crime1", "crime2", "crime3")
    assert not {"crime1", "crime2", "crime3"} & set(ids(Recommender(books).recommend(events, 30)))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([i.id for i in items()]), st.sampled_from(["like", "dislike"])),
        max_size=12,
    )
)
def test_nothing_that_was_disliked_is_ever_suggested(
    books: Catalogue, did: list[tuple[str, str]]
) -> None:
    events = [event for name, kind in did for event in likes("u", name, kind=kind)]
    refused = {name for name, kind in did if kind == "dislike"}
    for wishes in (Wishes(), Wishes("a crime novel"), Wishes(facts={"shelf": "crime"})):
        found = ids(Recommender(books).recommend(events, 30, wishes=wishes, at=NOW))
        assert not refused & set(found)


def test_a_dislike_counts_on_the_next_request(books: Catalogue) -> None:
    recommender, events = Recommender(books), likes("u", "crime1")
    first = ids(recommender.recommend(events, 3, at=NOW))[0]
    later = recommender.recommend([*events, *likes("u", first, kind="dislike")], 3, at=NOW)
    assert first not in ids(later)


def test_what_others_liked_as_well_comes_where_words_say_nothing(books: Catalogue) -> None:
    people = {f"p{n}": likes(f"p{n}", "crime0", "space9", f"garden{n % 10}") for n in range(40)}
    recommender = Recommender(books, fit(people), diversity=0.0)
    found = recommender.recommend(likes("u", "crime0"), 10, at=NOW)
    alone = Recommender(books, diversity=0.0).recommend(likes("u", "crime0"), 9, at=NOW)
    assert "space9" in ids(found)
    assert "space9" not in ids(alone)


def test_somebody_new_gets_what_many_like(books: Catalogue) -> None:
    people = {f"p{n}": likes(f"p{n}", "space5", f"garden{n % 10}") for n in range(20)}
    found = Recommender(books, fit(people)).recommend([], 3, at=NOW)
    assert found[0].item.id == "space5"
    assert found[0].reason == "many people like it"


def test_a_wish_in_words_decides(books: Catalogue) -> None:
    wishes = Wishes("a rocket to a far planet")
    found = Recommender(books).recommend(likes("u", "crime1"), 3, wishes=wishes, at=NOW)
    assert all(name.startswith("space") for name in ids(found))


def test_facts_must_be_as_asked(books: Catalogue) -> None:
    wishes = Wishes(facts={"shelf": "garden"})
    found = Recommender(books).recommend(likes("u", "crime1"), 20, wishes=wishes, at=NOW)
    assert len(found) == 10
    assert all(name.startswith("garden") for name in ids(found))


@pytest.mark.parametrize("text", ["something like the last one but shorter", "a shorter one"])
def test_something_like_the_last_one_but_shorter(books: Catalogue, text: str) -> None:
    found = Recommender(books).recommend([], 3, wishes=Wishes(text, last="space5"), at=NOW)
    assert found
    assert all(one.item.id.startswith("space") for one in found)
    assert all(int(one.item.facts["pages"]) < 150 for one in found)


@pytest.mark.parametrize("text", ["under 130 pages", "a garden book of at most 120 pages"])
def test_a_bound_in_words_holds_for_every_suggestion(books: Catalogue, text: str) -> None:
    found = Recommender(books).recommend(likes("u", "crime1"), 5, wishes=Wishes(text), at=NOW)
    assert found
    assert all(int(one.item.facts["pages"]) < 130 for one in found)


def test_somebody_new_gets_a_mixture_while_nothing_was_learned(books: Catalogue) -> None:
    found = Recommender(books).recommend([], 6, at=NOW)
    assert len({one.item.facts["shelf"] for one in found}) == 3
    assert {one.reason for one in found} == {"something to begin with"}


@pytest.mark.parametrize("text", ["", " ", "🎬", "公司", "x" * 100_000, "'; DROP TABLE passages"])
def test_whatever_is_wished_for_is_answered(books: Catalogue, text: str) -> None:
    Recommender(books).recommend(likes("u", "crime1"), 3, wishes=Wishes(text), at=NOW)


def test_a_fact_that_nothing_has_leaves_nothing(books: Catalogue) -> None:
    wishes = Wishes(facts={"shelf": "cooking"})
    assert Recommender(books).recommend([], 3, wishes=wishes, at=NOW) == []


def test_unknown_items_in_a_history_do_no_harm(books: Catalogue) -> None:
    assert Recommender(books, fit(readers())).recommend(likes("u", "gone", "crime1"), 3, at=NOW)


def test_more_diversity_mixes_more_kinds(books: Catalogue) -> None:
    events = [*likes("u", "crime1", "crime2", "crime3"), *likes("u", "space1")]
    near = Recommender(books, diversity=0.0).recommend(events, 6, at=NOW)
    far = Recommender(books, diversity=0.6).recommend(events, 6, at=NOW)
    kinds = [len({one.item.facts["shelf"] for one in found}) for found in (near, far)]
    assert kinds[1] >= kinds[0]
