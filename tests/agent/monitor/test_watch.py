"""Alarms from counts: who is watched, when, and how often."""

import pytest

from agent.monitor import windows
from agent.monitor.watch import Watch, WatchRules
from agent.monitor.windows import ALL, DAY_S, History, Series, field_name, read_field

RULES = WatchRules(width_s=DAY_S, sentiment="negative", cooldown_s=2 * DAY_S)
MACRO = Series("topic", "macro")


def counts(negative: int, neutral: int = 10) -> dict[str, int]:
    found = {}
    for series in (Series(ALL), MACRO):
        found[field_name(series, "negative")] = negative
        found[field_name(series, "neutral")] = neutral
    return found


def watch(days: int, rules: WatchRules = RULES) -> Watch:
    history = History(rules.width_s)
    for day in range(days):
        history.put(day * DAY_S, counts(4 + day % 3))
    return Watch(rules, history)


def test_a_field_names_its_series_and_sentiment_whatever_the_name_holds() -> None:
    series = Series("entity", "a|b|c")
    assert read_field(field_name(series, "negative")) == (series, "negative")


def test_a_surge_raises_an_alarm_for_its_series() -> None:
    watching = watch(40)
    watching.history.put(40 * DAY_S, counts(40))
    assert {alarm.series for alarm in watching.judge([40 * DAY_S])} == {Series(ALL), MACRO}


def test_many_items_of_another_sentiment_raise_none() -> None:
    watching = watch(40)
    watching.history.put(40 * DAY_S, counts(5, neutral=500))
    assert watching.judge([40 * DAY_S]) == []


def test_all_items_can_be_counted() -> None:
    watching = watch(40, WatchRules(width_s=DAY_S, sentiment=None))
    watching.history.put(40 * DAY_S, counts(5, neutral=500))
    assert len(watching.judge([40 * DAY_S])) == 2


def test_nothing_is_judged_before_there_is_history() -> None:
    watching = watch(10)
    watching.history.put(10 * DAY_S, counts(100))
    assert watching.judge([10 * DAY_S]) == []


def test_a_series_that_raised_an_alarm_cools_down() -> None:
    watching = watch(40)
    for day in (40, 41, 42):
        watching.history.put(day * DAY_S, counts(60))
    assert {alarm.window for alarm in watching.judge([d * DAY_S for d in (40, 41, 42)])} == {
        40 * DAY_S
    }


def test_a_surge_that_is_over_is_not_told_again_by_the_sums_of_more_days() -> None:
    watching = watch(40)
    alarms = []
    for day, negative in enumerate([60, 4, 5, 6, 4, 5, 6, 4, 5, 6], start=40):
        watching.history.put(day * DAY_S, counts(negative))
        alarms += watching.judge([day * DAY_S])
    assert {alarm.window // DAY_S for alarm in alarms} == {40}


def test_a_surge_that_goes_on_is_told_again_after_the_cool_down() -> None:
    watching = watch(40)
    alarms = []
    for day in range(40, 47):
        watching.history.put(day * DAY_S, counts(60))
        alarms += watching.judge([day * DAY_S])
    assert {alarm.window // DAY_S for alarm in alarms} == {40, 43, 46}


def test_a_late_surge_raises_an_alarm_of_its_own_window() -> None:
    watching = watch(40)
    for day in (40, 41):
        watching.take(day * DAY_S, counts(5))
        assert watching.judge([day * DAY_S]) == []
    changed = watching.take(40 * DAY_S, counts(50))
    late = watching.judge_late([40 * DAY_S, 41 * DAY_S], changed)
    assert {(alarm.window // DAY_S, str(alarm.series)) for alarm in late} == {
        (40, "all"),
        (40, "topic macro"),
    }
    assert watching.judge([41 * DAY_S]) == []


def test_late_items_count_in_the_sums_of_later_windows() -> None:
    watching = watch(40)
    watching.take(41 * DAY_S, counts(14))
    assert watching.judge([41 * DAY_S]) == []
    for day in (39, 40):
        changed = watching.take(day * DAY_S, counts(13))
    watching.judge_late([], changed)
    assert {alarm.scale for alarm in watching.judge([41 * DAY_S])} == {3}


def test_a_surge_that_was_told_is_not_told_again_by_what_comes_late() -> None:
    watching = watch(40)
    watching.take(41 * DAY_S, counts(60))
    assert len(watching.judge([41 * DAY_S])) == 2
    changed = watching.take(40 * DAY_S, counts(60))
    assert watching.judge_late([40 * DAY_S], changed) == []


def test_a_window_of_the_present_may_grow_although_an_item_is_dated_ahead() -> None:
    watching = watch(0)
    for day in range(40):
        busy = 1 + day * 7 % 5
        watching.take(day * DAY_S, counts(3 * busy, neutral=30 * busy))
    watching.take(41 * DAY_S, counts(0, neutral=1))
    watching.take(40 * DAY_S, counts(12, neutral=0))
    assert watching.judge([40 * DAY_S], now_s=40.5 * DAY_S) == []
    assert len(watching.judge([40 * DAY_S], now_s=42 * DAY_S)) == 2


def test_a_few_items_with_old_dates_are_no_history() -> None:
    watching = watch(0)
    for day in (1, 50, 300):
        watching.take(day * DAY_S, counts(1, neutral=0))
    for day in range(400, 412):
        watching.take(day * DAY_S, counts(60))
        assert watching.judge([day * DAY_S]) == []


def test_a_stream_with_few_items_has_a_history_all_the_same() -> None:
    watching = watch(0)
    for month in range(12):
        watching.take(month * 30 * DAY_S, counts(1, neutral=0))
    watching.take(345 * DAY_S, counts(30))
    assert len(watching.judge([345 * DAY_S])) == 2


def test_a_pause_in_the_middle_takes_no_history_away() -> None:
    watching = watch(60)
    watching.take(90 * DAY_S, counts(60))
    assert len(watching.judge([90 * DAY_S])) == 2


def test_alarms_of_an_earlier_run_count_for_the_cool_down() -> None:
    first = watch(40)
    first.history.put(40 * DAY_S, counts(60))
    raised = [alarm.as_json() for alarm in first.judge([40 * DAY_S])]
    again = Watch(RULES, first.history)
    again.remember(raised)
    assert again.judge([40 * DAY_S]) == []


def test_an_entity_is_watched_once_it_has_a_history() -> None:
    name = Series("entity", "acme")
    watching = watch(40)
    watching.history.put(40 * DAY_S, {field_name(name, "negative"): 30})
    assert watching.judge([40 * DAY_S]) == []
    for day in range(40):
        watching.history.put(day * DAY_S, {field_name(name, "negative"): 1})
    later = Watch(RULES, watching.history)
    assert [alarm.series for alarm in later.judge([40 * DAY_S])] == [name]


def test_a_day_without_items_counts_zero() -> None:
    history = History(DAY_S)
    history.put(0, counts(3))
    history.put(2 * DAY_S, counts(5))
    assert history.values(MACRO, "negative", 0, 3 * DAY_S).tolist() == [3, 0, 5]


def test_counts_that_are_too_old_to_learn_from_are_let_go() -> None:
    watching = watch(400)
    watching.raised[MACRO] = [(3 * DAY_S, 1), (390 * DAY_S, 1)]
    watching.let_go(399 * DAY_S)
    assert watching.history.first == (399 - 26 * 7) * DAY_S
    assert min(watching.history.counts[MACRO]) == watching.history.first
    assert watching.raised == {MACRO: [(390 * DAY_S, 1)]}


def test_a_series_that_was_not_seen_for_long_is_let_go() -> None:
    watching = watch(400)
    name = Series("entity", "acme")
    watching.history.put(3 * DAY_S, {field_name(name, "negative"): 1})
    watching.let_go(399 * DAY_S)
    assert name not in watching.history.counts


def test_of_too_many_entities_the_seldom_ones_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windows, "MOST_ENTITIES", 10)
    watching = watch(40)
    for number in range(30):
        name = Series("entity", f"e{number}")
        watching.history.put(39 * DAY_S, {field_name(name, "negative"): number + 1})
    watching.let_go(39 * DAY_S)
    kept = {series.name for series in watching.history.counts if series.kind == "entity"}
    assert kept == {f"e{number}" for number in range(21, 30)}
    assert Series(ALL) in watching.history.counts
