from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.feedback.gaps import ask, group, look_up, unanswered
from knowledge.passage import Passage, ScoredPassage


def turn(text: str, action: str = "action_default_fallback", **reply: Any) -> dict[str, Any]:
    return {
        "id": f"turn {text}",
        "message": {"text": text, "conversation_id": "c", "received_at": "2026-01-01T00:00:00"},
        "decisions": [{"action": action}],
        "replies": [{"text": "Sorry.", **reply}],
    }


def by_first_word(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    words = sorted({text.split()[0].lower() for text in texts})
    return np.eye(len(words), dtype=np.float32)[[words.index(t.split()[0].lower()) for t in texts]]


def test_a_fallback_without_a_source_is_unanswered() -> None:
    assert unanswered(turn("why?"))
    assert not unanswered(turn("why?", sources=[{"title": "Fees"}]))
    assert not unanswered(turn("hi", action="utter_greet"))


def test_equal_questions_are_counted_and_similar_ones_grouped() -> None:
    asked = ["Loans?", "card limit", "loans!", "card pin", "Card limit"]
    found = group(ask([turn(text) for text in asked]), by_first_word)
    assert [(gap.count, [q.text for q in gap.questions]) for gap in found] == [
        (3, ["card limit", "card pin"]),
        (2, ["Loans?"]),
    ]


def test_nothing_unanswered_is_no_gap() -> None:
    assert group(ask([]), by_first_word) == []


def test_a_question_that_the_knowledge_answers_by_now_names_the_document() -> None:
    passage = Passage("fees#0", "fees", "Fees", "A loan costs 8.", 0, 15)
    answers = {"loan fee": [ScoredPassage(passage, 0.9)]}
    asked = look_up(ask([turn("loan fee"), turn("card")]), lambda text: answers.get(text, []))
    assert {question.text: question.found for question in asked} == {"loan fee": "Fees", "card": ""}
