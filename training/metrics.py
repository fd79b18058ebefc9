"""The figures of `agent test`: intents, calibration, out-of-scope, entities."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label: precision, recall and F1 in [0, 1], and its gold count."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class IntentScores:
    """Over messages with a gold intent: all in [0, 1]; `ece` lower = better, others higher."""

    n: int
    accuracy: float
    macro_f1: float
    ece: float


@dataclass(frozen=True, slots=True)
class OosScores:
    """Over all messages with a gold intent or `oos`; `n` counts the latter.

    All in [0, 1]; `false_oos` (in-scope messages flagged) lower = better, others higher.
    `auroc` is None when only one of the two kinds is there.
    """

    n: int
    auroc: float | None
    recall: float
    precision: float
    false_oos: float


@dataclass(frozen=True, slots=True)
class EntityScores:
    """Micro-averaged over spans with equal start, end and label; `n` counts gold spans."""

    n: int
    precision: float
    recall: float
    f1: float


def score_intents(
    gold: Sequence[str], predicted: Sequence[str], confidences: Sequence[float]
) -> IntentScores:
    """Accuracy, macro F1 over the gold labels and those predicted, and calibration error."""
    right = [g == p for g, p in zip(gold, predicted, strict=True)]
    return IntentScores(
        n=len(gold),
        accuracy=float(np.mean(right)),
        macro_f1=macro_f1(gold, predicted),
        ece=calibration_error(confidences, right),
    )


def macro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """The mean F1 of all labels that occur in either sequence."""
    return float(np.mean([score.f1 for score in per_label(gold, predicted).values()]))


def per_label(gold: Sequence[str], predicted: Sequence[str]) -> dict[str, LabelScore]:
    """Each label's scores, by name."""
    support, called = Counter(gold), Counter(predicted)
    right = Counter(g for g, p in zip(gold, predicted, strict=True) if g == p)
    return {
        label: _label_score(right[label], called[label], support[label])
        for label in sorted(support | called)
    }


def _label_score(right: int, called: int, support: int) -> LabelScore:
    precision = right / called if called else 0.0
    recall = right / support if support else 0.0
    return LabelScore(precision, recall, harmonic(precision, recall), support)


def harmonic(precision: float, recall: float) -> float:
    """F1, 0 if both are 0.

    >>> harmonic(0.5, 1.0)
    0.6666666666666666
    """
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error in [0, 1], lower = better, over 15 equal bins of confidence.

    Source: Guo et al. 2017, equation 3. A bin holds its upper edge, the first also 0.
    """
    values, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = np.clip(np.ceil(values * BINS).astype(int) - 1, 0, BINS - 1)
    total = 0.0
    for index in range(BINS):
        inside = bins == index
        if inside.any():
            total += inside.sum() * abs(hits[inside].mean() - values[inside].mean())
    return float(total / len(values)) if len(values) else 0.0


def score_oos(outside: Sequence[bool], in_scope: Sequence[float], threshold: float) -> OosScores:
    """How well `in_scope` (higher = more in scope) finds messages outside every intent.

    A message is flagged if its score is below the threshold.
    """
    gold, scores = np.asarray(outside, dtype=bool), np.asarray(in_scope, dtype=np.float64)
    flagged = scores < threshold
    found = int((flagged & gold).sum())
    return OosScores(
        n=int(gold.sum()),
        auroc=auroc(~gold, scores),
        recall=found / int(gold.sum()) if gold.any() else 0.0,
        precision=found / int(flagged.sum()) if flagged.any() else 0.0,
        false_oos=float(flagged[~gold].mean()) if (~gold).any() else 0.0,
    )


def auroc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float | None:
    """The chance that a positive scores above a negative, ties counting half; None without both.

    Source: the rank-sum form, Hanley and McNeil 1982.
    """
    up, down = int(positive.sum()), int((~positive).sum())
    if not up or not down:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - up * (up + 1) / 2) / (up * down))


def score_entities(
    gold: Sequence[AbstractSet[Hashable]], predicted: Sequence[AbstractSet[Hashable]]
) -> EntityScores:
    """Micro precision, recall and F1 of sets of spans, one set a message."""
    right = sum(len(g & p) for g, p in zip(gold, predicted, strict=True))
    n, called = sum(map(len, gold)), sum(map(len, predicted))
    precision, recall = (right / called if called else 0.0), (right / n if n else 0.0)
    return EntityScores(n, precision, recall, harmonic(precision, recall))


def confusions(gold: Sequence[str], predicted: Sequence[str]) -> list[tuple[str, str, int]]:
    """(gold, predicted, count) of wrong pairs, most frequent first."""
    wrong = Counter((g, p) for g, p in zip(gold, predicted, strict=True) if g != p)
    return [(g, p, count) for (g, p), count in sorted(wrong.items(), key=lambda x: (-x[1], x[0]))]


def as_json(scores: object) -> Mapping[str, float | int | None]:
    """A score's fields, floats rounded to six digits."""
    fields = asdict(scores)  # type: ignore[call-overload]
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in fields.items()}
