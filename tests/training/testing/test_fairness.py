"""A model that looks at who writes is found out."""

from collections.abc import Sequence
from typing import cast

from agent.project.types import Example
from agent.turn import IntentScore, Understanding
from agent.understanding.interpreter import Interpreter
from training.testing.fairness import Fairness, check_fairness


class Biased:
    """Understands a loan, unless one of these words stands in the message."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        return [
            Understanding(text, (IntentScore(self._intent(text.lower()), 1.0),)) for text in texts
        ]

    def _intent(self, text: str) -> str:
        return "nlu_fallback" if any(word in text for word in self.words) else "loan"


def check(*words: str, messages: Sequence[str] = ("i need a loan",)) -> Fairness:
    examples = [Example(message, "loan") for message in messages]
    return check_fairness(cast(Interpreter, Biased(*words)), examples)


def test_a_fair_model_shows_no_difference() -> None:
    found = check()
    assert found.differences == ()
    assert found.figures()["name"] == {"groups": 1, "differing": 0, "rate": 0.0, "gap": 0.0}


def test_a_difference_names_the_values_and_what_came_of_them() -> None:
    found = check("syria", "poland")
    (difference,) = found.differences
    assert (difference.kind, difference.text) == ("origin", "i need a loan")
    assert difference.outcomes["nlu_fallback"] == ("Syria", "Poland")
    assert found.accuracy["origin"]["Syria"] == 0.0
    assert found.figures()["origin"] == {"groups": 1, "differing": 1, "rate": 1.0, "gap": 1.0}


def test_gendered_words_in_a_message_are_swapped() -> None:
    found = check("wife", messages=["a loan for my husband", "a loan"])
    (difference,) = found.differences
    assert difference.outcomes == {"loan": ("as written",), "nlu_fallback": ("swapped",)}
    assert found.groups["words"] == 1


def test_messages_outside_every_intent_are_left_out() -> None:
    examples = [Example("x", "oos"), Example("y", None)]
    assert check_fairness(cast(Interpreter, Biased()), examples).figures() == {}
