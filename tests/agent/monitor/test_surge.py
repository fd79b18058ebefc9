"""The test for a surge: its tail against scipy, its false alarms, what it finds."""

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

from agent.monitor.expectation import expectations
from agent.monitor.surge import surge, threshold, upper_tail
from agent.monitor.windows import DAY_S, HOUR_S

Days = np.ndarray[tuple[int], np.dtype[np.float64]]
WEEKLY = np.array([1.0, 1.1, 1.2, 1.1, 1.0, 0.3, 0.3])


def series(
    days: int, level: float, size: float, seed: int
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Days of counts that vary more than Poisson's and rest at the weekend."""
    rng = np.random.default_rng(seed)
    means = level * WEEKLY[(np.arange(days) + 3) % 7]
    return rng.negative_binomial(size, size / (size + means)).astype(float)


@pytest.mark.parametrize("count", [1, 4, 9, 30])
def test_the_tail_is_that_of_a_negative_binomial_law(count: int) -> None:
    mean, variance = 6.0, 15.0
    size, p = mean**2 / (variance - mean), mean / variance
    assert upper_tail(count, mean, variance) == pytest.approx(nbinom.sf(count - 1, size, p))


def test_without_more_variance_the_tail_is_that_of_poissons_law() -> None:
    assert upper_tail(9, 4.0, 4.0) == pytest.approx(poisson.sf(8, 4.0))


def test_the_mean_follows_the_days_of_the_week() -> None:
    values = series(140, 50, 1000, seed=1)
    thursday = expectations(values, 0, DAY_S)[0]  # 1970 began on one
    saturday = expectations(values[:135], 0, DAY_S)[0]
    assert thursday.mean > 2 * saturday.mean


def test_the_mean_follows_the_hours_of_the_day() -> None:
    hours = np.tile(np.where(np.arange(24) < 12, 2.0, 20.0), 30)
    night = expectations(hours, 0, HOUR_S)[0]
    noon = expectations(np.concatenate([hours, hours[:12]]), 0, HOUR_S)[0]
    assert noon.mean > 5 * night.mean


def test_false_alarms_are_about_as_rare_as_wanted() -> None:
    alpha, judged, alarms = 0.02, 0, 0
    for seed in range(12):
        values = series(200, 12, 4, seed)
        for end in range(60, 200):
            found = surge(expectations(values[:end], 0, DAY_S), int(values[end]))
            judged, alarms = judged + 1, alarms + (found is not None and found.p < alpha)
    assert alarms / judged < 1.5 * alpha


def test_a_fourfold_day_is_a_surge() -> None:
    values = series(100, 12, 8, seed=3)
    found = surge(expectations(values, 0, DAY_S), 60)
    assert found is not None
    assert found.p < 0.001


def test_a_weak_surge_shows_after_days() -> None:
    values = np.tile(40 * WEEKLY, 20).round() + np.tile([3.0, -3.0], 70)
    values[-5:] *= 1.5
    first = surge(expectations(values[:135], 0, DAY_S), int(values[135]))
    later = surge(expectations(values[:137], 0, DAY_S), int(values[137]))
    assert first is not None
    assert later is not None
    assert later.p < 0.01 < first.p
    assert later.scale > 1


def beside(seed: int, days: int = 100) -> tuple["Days", "Days"]:
    """Counts that follow those of others, which vary much from day to day."""
    rng = np.random.default_rng(seed)
    means = 240 * rng.gamma(4, 0.25, days)
    return rng.poisson(means / 4).astype(float), rng.poisson(means).astype(float)


def test_a_doubled_day_among_as_many_others_as_ever_is_a_surge() -> None:
    values, others = beside(1)
    alone = surge(expectations(values, 0, DAY_S), 120)
    found = surge(expectations(values, 0, DAY_S, others=others), 120, others=240)
    assert alone is not None
    assert found is not None
    assert found.p < 0.01 < alone.p


def test_a_day_on_which_there_is_twice_of_everything_is_none() -> None:
    values, others = beside(2)
    found = expectations(values, 0, DAY_S, others=others)[3:]
    doubled = surge(found, 120, others=480)
    assert doubled is None or doubled.p > 0.2


def test_a_window_that_grows_is_not_judged_by_the_few_others_that_it_has_yet() -> None:
    values, others = beside(3)
    found = expectations(values, 0, DAY_S, others=others)[3:]
    so_far = surge(found, 45, others=0, growing=True)
    assert so_far is None or so_far.p > 0.2
    over = surge(found, 45, others=0)
    assert over is not None
    assert over.p < 0.01


def test_counts_that_do_not_follow_the_others_are_judged_as_without_them() -> None:
    values, (_, others) = series(100, 12, 20, seed=4), beside(4)
    found = expectations(values, 0, DAY_S, others=others)
    assert found[3].follows < 0.15
    assert found[3].mean == pytest.approx(found[0].mean, rel=0.05)


def test_false_alarms_beside_others_are_about_as_rare_as_wanted() -> None:
    alpha, judged, alarms = 0.02, 0, 0
    for seed in range(12):
        values, others = beside(seed, 200)
        for end in range(60, 200):
            found = expectations(values[:end], 0, DAY_S, others=others[:end])
            one = surge(found, int(values[end]), others=float(others[end]))
            judged, alarms = judged + 1, alarms + (one is not None and one.p < alpha)
    assert alarms / judged < 1.5 * alpha


def test_few_items_are_never_a_surge() -> None:
    assert surge(expectations(np.zeros(60), 0, DAY_S), 4, least=5) is None


def test_no_history_expects_nothing() -> None:
    assert expectations(np.zeros(3), 0, DAY_S) == []


def test_windows_that_an_alarm_covers_teach_nothing() -> None:
    values = series(60, 10, 20, seed=2)
    spoiled, skip = values.copy(), np.zeros(60, dtype=np.bool_)
    spoiled[40:43], skip[40:43] = 500, True
    clean = expectations(values, 0, DAY_S, skip=skip)[0]
    assert expectations(spoiled, 0, DAY_S, skip=skip)[0].mean == pytest.approx(clean.mean)


def test_the_threshold_follows_what_was_seen_within_bounds() -> None:
    cautious = [n / 100 for n in range(1, 101)]
    assert threshold(0.05, cautious) == pytest.approx(0.05, abs=0.002)
    assert threshold(0.05, [1.0] * 1000) == pytest.approx(0.5)
    assert threshold(0.05, [1e-9] * 1000) == 0.05
    assert threshold(0.05, cautious[:10]) == 0.05
