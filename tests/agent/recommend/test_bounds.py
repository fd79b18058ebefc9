"""Bounds on facts in words."""

import pytest

from agent.recommend.bounds import bounds_of

FACTS = frozenset({"minutes", "price", "year", "pages"})


@pytest.mark.parametrize(
    ("text", "fact", "inside", "outside"),
    [
        ("a comedy under 100 minutes", "minutes", 99, 100),
        ("at most 90 min please", "minutes", 90, 91),
        ("more than 300 pages", "pages", 301, 300),
        ("something below €20", "price", 19.99, 20),
        ("up to 12,50 euros", "price", 12.5, 12.6),
        ("Films from 1990", "year", 1990, 1989),
        ("made before 1980", "year", 1979, 1980),
    ],
)
def test_a_number_with_its_unit_bounds_the_fact_of_that_name(
    text: str, fact: str, inside: float, outside: float
) -> None:
    (bound,) = bounds_of(text, FACTS)
    assert (bound.fact, bound.holds(inside), bound.holds(outside)) == (fact, True, False)


@pytest.mark.parametrize(
    "text", ["over 9000", "under 3 kilos", "the film 300", "from 5 people", "under minutes", ""]
)
def test_what_names_no_fact_of_the_items_bounds_nothing(text: str) -> None:
    assert bounds_of(text, FACTS) == []


def test_two_bounds_are_both_heard() -> None:
    found = bounds_of("over 60 but under 90 minutes, at least 60 minutes", FACTS)
    assert [(one.fact, one.number) for one in found] == [("minutes", 90), ("minutes", 60)]
