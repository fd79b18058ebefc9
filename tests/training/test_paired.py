import numpy as np
import pytest
from scipy.stats import binomtest

from training.paired import Pairs, mcnemar, traffic_gain


def pairs(both: int, first: int, second: int, neither: int) -> Pairs:
    a = [True] * both + [True] * first + [False] * second + [False] * neither
    b = [True] * both + [False] * first + [True] * second + [False] * neither
    return Pairs(a, b)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (3, 1), (10, 2), (25, 25), (1, 40)])
def test_mcnemar_agrees_with_scipys_binomial_test(wins: int, losses: int) -> None:
    first = [True] * wins + [False] * losses + [True] * 5
    second = [False] * wins + [True] * losses + [True] * 5
    n = wins + losses
    expected = binomtest(wins, n).pvalue if n else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


def test_the_gain_is_the_difference_of_the_accuracies_where_there_are_only_drawn_messages() -> None:
    gain = traffic_gain(pairs(900, 5, 25, 70), Pairs())
    assert gain.mean == pytest.approx(0.02, abs=0.002)
    assert gain.low < 0.02 < gain.high


def test_corrections_alone_prove_nothing() -> None:
    mended = Pairs([False] * 50, [True] * 50)
    assert traffic_gain(Pairs(), mended).p_no_gain > 0.05


def test_corrections_speak_only_for_the_share_of_errors() -> None:
    traffic = pairs(950, 0, 0, 50)
    gain = traffic_gain(traffic, Pairs([False] * 1000, [True] * 500 + [False] * 500))
    assert gain.mean == pytest.approx(0.05 * 0.48, abs=0.004)


def test_a_message_that_stands_for_many_counts_for_many() -> None:
    first, second = [True, False] * 50, [True, True] * 50
    heavy = traffic_gain(Pairs(first, second, [1.0, 9.0] * 50), Pairs())
    light = traffic_gain(Pairs(first, second, [9.0, 1.0] * 50), Pairs())
    assert heavy.mean > 0.8 > 0.2 > light.mean


def test_equal_models_are_told_apart_in_no_more_than_five_of_a_hundred_cases() -> None:
    rng = np.random.default_rng(7)
    proved = 0
    for _ in range(200):
        first = rng.random(500) < 0.9
        flip = rng.random(500) < np.where(first, 0.01, 0.09)
        second = first ^ flip
        gain = traffic_gain(Pairs(first.tolist(), second.tolist()), Pairs())
        proved += gain.p_no_gain <= 0.025
    assert proved <= 10
