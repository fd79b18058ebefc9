"""Knowledge gaps: questions that nothing answered, similar ones together, for authors to fill."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.dialogue.names import ACTION_DEFAULT_FALLBACK
from agent.understanding.memory import fold
from knowledge.passage import ScoredPassage

QUESTIONS = 300
# Cosine from which two questions are shown as one gap; authors read them, nothing is learned.
ALIKE = 0.75
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Question:
    """A question without an answer: how often it was asked, and where it was asked last.

    `found` is the title of what the knowledge base has to say about it by now, empty for nothing.
    """

    text: str
    conversation_id: str
    turn_id: str
    at: str
    count: int = 1
    found: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions that ask much the same, the most frequent first."""

    questions: tuple[Question, ...]

    @property
    def count(self) -> int:
        """How often any of them was asked."""
        return sum(question.count for question in self.questions)


def unanswered(turn: Mapping[str, Any]) -> bool:
    """Whether a logged turn fell back and quoted no passage either."""
    actions = [decision.get("action") for decision in turn.get("decisions") or ()]
    quoted = any(reply.get("sources") for reply in turn.get("replies") or ())
    return ACTION_DEFAULT_FALLBACK in actions and not quoted


def ask(turns: Iterable[Mapping[str, Any]]) -> list[Question]:
    """The questions of turns (latest first), equal ones counted, the most frequent first."""
    found: dict[str, Question] = {}
    for turn in turns:
        message = turn["message"]
        key = fold(message["text"])
        known = found.get(key)
        if known is not None:
            found[key] = replace(known, count=known.count + 1)
        elif key:
            found[key] = Question(
                message["text"], message["conversation_id"], turn["id"], message["received_at"]
            )
    return sorted(found.values(), key=lambda question: -question.count)[:QUESTIONS]


def look_up(
    questions: Sequence[Question], search: Callable[[str], Sequence[ScoredPassage]]
) -> list[Question]:
    """The questions with what the knowledge base finds for each by now, as a turn would."""
    found = []
    for question in questions:
        passages = search(question.text)
        title = (passages[0].passage.title or passages[0].passage.document_id) if passages else ""
        found.append(replace(question, found=title))
    return found


def group(questions: Sequence[Question], encode: Callable[[Sequence[str]], Vectors]) -> list[Gap]:
    """Similar questions together, each with the first (most frequent) one it is close to.

    Args:
        questions: the most frequent first.
        encode: texts to unit vectors (n, H).
    """
    if not questions:
        return []
    vectors = encode([question.text for question in questions])  # (n, H)
    members: dict[int, list[Question]] = {}
    for row, question in enumerate(questions):
        heads = list(members)
        cosines = vectors[heads] @ vectors[row] if heads else np.zeros(0)
        near = int(np.argmax(cosines)) if heads else -1
        if heads and cosines[near] >= ALIKE:
            members[heads[near]].append(question)
        else:
            members[row] = [question]
    gaps = [Gap(tuple(group)) for group in members.values()]
    return sorted(gaps, key=lambda gap: -gap.count)
