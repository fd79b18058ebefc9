from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from agent.errors import ModelError
from agent.registry import Registry
from agent.storage.counters import compare, counters_of
from agent.trial import Trial, place
from agent.turn import Decision, IntentScore, Message, Turn, Understanding
from agent.turn_record import turn_record
from agent.understanding.interpreter import Interpreter

SERVING = Understanding("hi", (IntentScore("greet", 0.9),), model_version="v1")


class Challenger:
    """Understands everything as `bye`."""

    memory = None

    def understand(self, texts: list[str]) -> list[Understanding]:
        return [Understanding(t, (IntentScore("bye", 0.8),), model_version="v2") for t in texts]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def publish(registry: Registry) -> str:
    folder = registry.temporary()
    (folder / "weights").write_text("x")
    return registry.publish(folder, {}).id


@pytest.fixture
def trial(registry: Registry) -> Trial:
    return Trial(registry, lambda _: cast(Interpreter, Challenger()))


async def test_in_the_shadow_the_serving_model_answers_and_the_other_is_noted(
    registry: Registry, trial: Trial
) -> None:
    registry.start_trial(publish(registry), "shadow")
    await trial.refresh([])
    heard = trial.hear(SERVING, "c")
    assert heard.intent == SERVING.intent
    assert heard.shadow == IntentScore("bye", 0.8)
    turn = Turn("t", Message("m", "c", "hi"), heard, (), (), "v1", 1.0)
    assert counters_of(turn)["shadow_disagreed"] == 1
    assert turn_record(turn)["understanding"]["shadow"]["name"] == "bye"


async def test_a_canary_answers_its_share_of_conversations_always_the_same_ones(
    registry: Registry, trial: Trial
) -> None:
    registry.start_trial(publish(registry), "canary", share=0.3)
    await trial.refresh([])
    answered = {c for c in map(str, range(1000)) if trial.hear(SERVING, c).model_version == "v2"}
    assert 250 < len(answered) < 350
    assert answered == {c for c in map(str, range(1000)) if place(c) < 0.3}


def test_what_a_canary_hears_is_counted_beside_what_the_serving_model_hears() -> None:
    sure = replace(SERVING, model_version="v2")
    unsure = replace(sure, ranking=(IntentScore("greet", 0.3),))
    fallback = Decision("action_default_fallback", "RulePolicy")
    today: Counter[str] = Counter()
    for heard, decisions in ((sure, ()), (unsure, (fallback,)), (SERVING, (fallback,))):
        turn = Turn("t", Message("m", "c", "hi"), heard, decisions, (), "v1", 1.0)
        today.update({"turns": 1, **counters_of(turn)})
    assert compare(today, "v2") == {
        "canary": {"turns": 2, "fallback": 1, "unsure": 1, "out_of_scope": 0},
        "serving": {"turns": 1, "fallback": 1, "unsure": 0, "out_of_scope": 0},
    }
    assert compare({}, "v2")["serving"]["turns"] == 0


async def test_when_the_trial_ends_or_its_model_is_promoted_nothing_is_on_trial(
    registry: Registry, trial: Trial
) -> None:
    name = publish(registry)
    registry.start_trial(name, "shadow")
    await trial.refresh([])
    registry.promote(name)
    assert registry.trial() is None
    await trial.refresh([])
    assert trial.hear(SERVING, "c") is SERVING


async def test_a_model_that_cannot_be_loaded_leaves_the_serving_one_alone(
    registry: Registry,
) -> None:
    def broken(_: str) -> Any:
        raise ModelError("damaged")

    registry.start_trial(publish(registry), "canary", share=1.0)
    trial = Trial(registry, broken)
    await trial.refresh([])
    assert trial.hear(SERVING, "c") is SERVING


def test_the_serving_model_cannot_be_on_trial(registry: Registry) -> None:
    name = publish(registry)
    registry.promote(name)
    with pytest.raises(ModelError, match="serves already"):
        registry.start_trial(name, "shadow")


def test_a_torn_pointer_is_no_trial(registry: Registry) -> None:
    registry.start_trial(publish(registry), "shadow")
    (registry.folder / "trial").write_text('{"model": "x"')
    assert registry.trial() is None
