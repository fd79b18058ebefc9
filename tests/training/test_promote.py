from dataclasses import replace

import pytest

from training.promote import Evidence, judge

CHAMPION = Evidence(
    frozen=[True] * 90 + [False] * 10,
    intents=["pay"] * 50 + ["block"] * 50,
    held_out=[False] * 4,
    taught=[False] * 16,
    entity_f1=0.9,
    latency_ms=5.0,
    size_bytes=20 << 20,
)


def challenger(**changes: object) -> Evidence:
    better = replace(CHAMPION, held_out=[True] * 4, taught=[True] * 16)
    return replace(better, **changes)  # type: ignore[arg-type]


def test_a_challenger_that_learned_without_any_loss_is_promoted() -> None:
    verdict = judge(CHAMPION, challenger(), tolerance=0.005)
    assert verdict.decision == "promoted"
    assert "corrections held out: 0 → 4 of 4 right" in verdict.reason


def test_a_challenger_that_loses_on_the_frozen_tests_is_kept_out() -> None:
    worse = challenger(frozen=[True] * 87 + [False] * 13)
    verdict = judge(CHAMPION, worse, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "0.9000 to 0.8700" in verdict.reason


def test_without_proof_of_a_gain_nothing_may_be_lost_within_the_tolerance_either() -> None:
    before = replace(CHAMPION, frozen=[True] * 379 + [False] * 33, intents=["pay"] * 412)
    before = replace(before, held_out=[], taught=[False] * 4)
    after = replace(before, frozen=[True] * 377 + [False] * 35, taught=[True] * 4)
    verdict = judge(before, after, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "2 more of 412 frozen tests" in verdict.reason


def test_a_proved_gain_forgives_a_loss_within_the_tolerance() -> None:
    drawn = {"drawn": [True] * 900 + [False] * 100, "drawn_weights": [1.0] * 1000}
    before = replace(CHAMPION, **drawn)  # type: ignore[arg-type]
    after = challenger(
        frozen=[True] * 89 + [False] * 11,
        drawn=[True] * 940 + [False] * 60,
        drawn_weights=[1.0] * 1000,
    )
    verdict = judge(before, after, tolerance=0.02)
    assert verdict.decision == "promoted"
    assert "of the traffic" in verdict.reason


def test_what_was_drawn_from_the_traffic_outweighs_the_frozen_tests() -> None:
    before = replace(CHAMPION, drawn=[True] * 100)
    after = challenger(drawn=[True] * 98 + [False] * 2)
    verdict = judge(before, after, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "2 more of 100 drawn messages" in verdict.reason


def test_a_challenger_that_learned_nothing_is_kept_out() -> None:
    verdict = judge(CHAMPION, CHAMPION, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "no better" in verdict.reason


def test_learning_one_of_many_corrections_is_not_enough() -> None:
    after = replace(CHAMPION, taught=[True] + [False] * 15)
    verdict = judge(CHAMPION, after, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "only 1 of 16" in verdict.reason


def test_with_a_thousand_reviewed_messages_only_a_proved_gain_promotes() -> None:
    before = replace(CHAMPION, held_out=[], drawn=[True] * 900 + [False] * 100)
    after = replace(before, taught=[True] * 16)
    verdict = judge(before, after, tolerance=0.005)
    assert (verdict.decision, "1000 reviewed" in verdict.reason) == ("kept", True)
    fewer = {"drawn": before.drawn[:999]}
    found = judge(replace(before, **fewer), replace(after, **fewer), tolerance=0.005)  # type: ignore[arg-type]
    assert found.decision == "promoted"


def test_losing_held_out_corrections_keeps_it_out_however_much_it_learned() -> None:
    before = replace(CHAMPION, held_out=[True, True, False, False])
    after = challenger(held_out=[True, False, False, False])
    assert judge(before, after, tolerance=0.005).decision == "kept"


def test_an_intent_that_collapses_keeps_it_out_whatever_the_sum_says() -> None:
    before = replace(CHAMPION, frozen=[True] * 8 + [False] * 92)
    after = challenger(
        frozen=[False] * 8 + [True] * 92,
        intents=["pay"] * 8 + ["block"] * 92,
    )
    verdict = judge(replace(before, intents=after.intents), after, tolerance=0.005)
    assert verdict.decision == "kept"
    assert "'pay' lost 8" in verdict.reason


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stories_failed": 1}, "test stories"),
        ({"entity_f1": 0.8}, "entity F1"),
        ({"latency_ms": 11.0}, "11.0 ms"),
        ({"size_bytes": 40 << 20}, "40 MiB"),
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


def test_a_handful_of_drawn_messages_does_not_speak_for_the_traffic_alone() -> None:
    before = replace(CHAMPION, frozen=[True] * 900 + [False] * 100, intents=["pay"] * 1000)
    after = replace(before, frozen=[True] * 940 + [False] * 60, drawn=[True])
    before = replace(before, drawn=[False])
    verdict = judge(before, after, tolerance=0.005)
    assert verdict.gain is not None
    assert verdict.gain.mean < 0.06


def _changed(n: int, won: int, lost: int) -> tuple[list[bool], list[bool]]:
    """Hits of two models on n messages: the second wins and loses so many, the rest is even."""
    even = [True] * (n - won - lost)
    return [False] * won + [True] * lost + even, [True] * won + [False] * lost + even


@pytest.mark.parametrize(
    ("on_tests", "on_traffic", "decision"),
    [((45, 15), (15, 8), "promoted"), ((15, 15), (15, 8), "kept"), ((45, 15), (10, 10), "kept")],
)
def test_frozen_tests_complete_a_proof_that_the_traffic_nearly_gives(
    on_tests: tuple[int, int], on_traffic: tuple[int, int], decision: str
) -> None:
    frozen, drawn = _changed(3000, *on_tests), _changed(1000, *on_traffic)
    champion, challenger = (
        Evidence(frozen=frozen[i], intents=["a"] * 3000, drawn=drawn[i]) for i in (0, 1)
    )
    assert judge(champion, challenger, tolerance=0.005).decision == decision
