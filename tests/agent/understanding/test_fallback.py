"""When a message becomes `nlu_fallback`: by the project's thresholds, or by the model's own."""

import pytest

from agent.turn import FALLBACK_INTENT, IntentScore, Understanding
from agent.understanding.interpreter import with_fallback
from agent.understanding.labels import Thresholds

HEARD = Understanding("hi", (IntentScore("greet", 0.6), IntentScore("bye", 0.3)), in_scope=0.9)


@pytest.mark.parametrize(
    ("thresholds", "falls_back"),
    [
        (Thresholds(fallback=0.5), False),
        (Thresholds(fallback=0.7), True),
        (Thresholds(fallback=0.5, fallback_ambiguity=0.4), True),
        (Thresholds(in_scope=0.95), True),
        (Thresholds(in_scope=0.95, scope_decides=False), False),
        (Thresholds(fallback=0.7, sharpness=2.0), False),
        (Thresholds(fallback=0.7, sharpness=2.0, in_scope=0.95), True),
    ],
)
def test_a_message_falls_back_by_thresholds(thresholds: Thresholds, falls_back: bool) -> None:
    assert (with_fallback(HEARD, thresholds).ranking[0].intent == FALLBACK_INTENT) is falls_back


def test_the_confidence_that_is_shown_is_the_one_that_was_compared() -> None:
    ranking = with_fallback(HEARD, Thresholds(fallback=0.7, sharpness=2.0)).ranking
    assert [score.intent for score in ranking] == ["greet", "bye"]
    assert ranking[0].confidence == pytest.approx(0.8)
