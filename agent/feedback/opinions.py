"""The serving model's opinion of texts, without the correction memory."""

from collections.abc import Sequence

from agent.feedback.folding import Opinion
from agent.turn import IntentScore
from agent.understanding.interpreter import Interpreter

_RANKED = 5


def consult(interpreter: Interpreter, texts: Sequence[str]) -> list[Opinion]:
    """Vector, ranking and nearest training examples of each text, in order."""
    if not texts:
        return []
    found = []
    for output in interpreter.network.run(texts):
        order = (-output.intents).argsort(kind="stable")[:_RANKED]
        ranking = tuple(
            IntentScore(interpreter.intents[i], float(output.intents[i])) for i in order
        )
        found.append(
            Opinion(
                output.pooled,
                ranking,
                interpreter.nearest(output.pooled),
                interpreter.model_version,
            )
        )
    return found
