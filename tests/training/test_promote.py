from dataclasses import replace

import pytest
from scipy.stats import binomtest

from training.promote import Evidence, judge, mcnemar

CHAMPION = Evidence(
    frozen=[True] * 90 + [False] * 10,
    intents=["pay"] * 50 + ["block"] * 50,
    held_out=[False] * 4,
    taught=[False] * 16,
    entity_f1=0.9,
    latency_ms=5.0,
)


def challenger(**changes: object) -> Evidence:
    better = replace(CHAMPION, held_out=[True] * 4, taught=[True] * 16)
    return replace(better, **changes)  # type: ignore[arg-type]


def test_a_challenger_that_learned_without_harm_is_promoted() -> None:
    verdict = judge(CHAMPION, challenger(), tolerance=0.005)
    assert verdict.decision == "promoted"
    assert "corrections held out: 0 → 4 of 4 right" in verdict.reason


def test_a_challenger_that_loses_on_the_frozen_tests_is_kept_out() -> None:
    worse = challenger(frozen=[True] * 87 + [False] * 13)
    verdict = judge(CHAMPION, worse, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "0.9000 to 0.8700" in verdict.reason


def test_a_loss_within_the_tolerance_is_forgiven() -> None:
    slightly = challenger(frozen=[True] * 89 + [False] * 11)
    assert judge(CHAMPION, slightly, tolerance=0.02).decision == "promoted"


def test_a_challenger_that_learned_nothing_is_kept_out() -> None:
    verdict = judge(CHAMPION, CHAMPION, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "no better" in verdict.reason


def test_losing_held_out_corrections_keeps_it_out_however_much_it_learned() -> None:
    before = replace(CHAMPION, held_out=[True, True, False, False])
    after = challenger(held_out=[True, False, False, False])
    assert judge(before, after, tolerance=0.005).decision == "kept"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stories_failed": 1}, "test stories"),
        ({"entity_f1": 0.8}, "entity F1"),
        ({"latency_ms": 11.0}, "11.0 ms"),
    ],
)
def test_other_losses_keep_it_out_and_are_named(changes: dict[str, object], named: str) -> None:
    verdict = judge(CHAMPION, challenger(**changes), tolerance=0.005)
    assert verdict.decision == "kept"
    assert named in verdict.reason


def test_intents_that_got_worse_are_named_even_when_promoted() -> None:
    frozen = [False] + [True] * 90 + [False] * 8 + [True]
    verdict = judge(CHAMPION, challenger(frozen=frozen), tolerance=0.02)
    assert verdict.regressions == {"pay": 1}


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (3, 1), (10, 2), (25, 25), (1, 40)])
def test_mcnemar_agrees_with_scipys_binomial_test(wins: int, losses: int) -> None:
    first = [True] * wins + [False] * losses + [True] * 5
    second = [False] * wins + [True] * losses + [True] * 5
    n = wins + losses
    expected = binomtest(wins, n).pvalue if n else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)
