"""Labels that are probably wrong, by confident learning, for a person to review.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels", sections 3.1 and 3.2 (the off-diagonal examples, ranked by normalized margin).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.project.types import Place
from training.evaluate import Evaluation, Floats

# A label with fewer examples has no confidence of its own to compare with.
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Suspicion:
    """An example that another intent fits better than its label.

    `margin` in [-1, 1] is the label's probability less the suggestion's; lower = more suspicious.
    """

    text: str
    label: str
    suggested: str
    margin: float
    place: Place


def find_suspicious(evaluation: Evaluation) -> list[Suspicion]:
    """The suspicious labels of messages that the model was not trained on, worst first."""
    if not len(evaluation.labels):
        return []
    probabilities = evaluation.probabilities
    index = {label: column for column, label in enumerate(evaluation.labels)}
    gold = np.array([index.get(label, -1) for label in evaluation.gold], dtype=np.int64)
    confident = _thresholds(gold, probabilities)
    # An example counts for an intent that is at least as probable as for its usual examples.
    masked = np.where(probabilities >= confident, probabilities, -1.0)
    found = []
    for row in np.flatnonzero((masked.max(axis=1) >= 0) & (gold >= 0)):
        better = int(masked[row].argmax())
        if better != gold[row]:
            margin = float(probabilities[row, gold[row]] - probabilities[row, better])
            found.append(
                Suspicion(
                    evaluation.texts[row],
                    evaluation.gold[row],
                    evaluation.labels[better],
                    margin,
                    evaluation.places[row],
                )
            )
    return sorted(found, key=lambda one: (one.margin, one.text))


def _thresholds(gold: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Each label's mean probability over the examples that carry it (I,); 1 where few do."""
    thresholds = np.ones(probabilities.shape[1], np.float32)
    for column in range(len(thresholds)):
        rows = gold == column
        if rows.sum() >= _FEWEST:
            thresholds[column] = probabilities[rows, column].mean()
    return thresholds


def as_rows(suspicions: Sequence[Suspicion]) -> list[dict[str, object]]:
    """As JSON: text, label, suggestion, margin, and where it stands if that is known."""
    return [
        {
            "text": one.text,
            "label": one.label,
            "suggested": one.suggested,
            "margin": round(one.margin, 6),
            "file": one.place.path,
            "line": one.place.line,
        }
        for one in suspicions
    ]
