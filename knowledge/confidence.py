"""How sure it is that the best passage answers a question, from how it was found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

# How many further passages the best one is compared with.
OTHERS = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that was found: its document, and its scores, each in [0, 1]."""

    document: str
    score: float
    dense: float
    lexical: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the best passage.

    `dense` and `lexical` are its scores, the former less what the encoder cannot read of the
    question; `coverage` is the share of the question's words in it, weighted by rarity;
    `matches` the logarithm of how many they are; `unread` what the encoder cannot read, in
    [0, 1]; the leads say how much better it is than the next document, or than the mean of
    the next passages.
    """

    dense: float
    lexical: float
    coverage: float
    matches: float
    unread: float
    lead: float
    lexical_lead: float
    mean_lead: float
    dense_lead: float


def gather(
    found: Sequence[Found],
    weights: Mapping[str, float],
    present: frozenset[str],
    *,
    readable: float,
) -> Evidence:
    """The evidence for the first of `found`, which come best first and are at least one.

    `weights` has the rarity of each word of the question, `present` the words of the best
    passage; `readable` in [0, 1] is how much of the question the encoder can read.
    """
    best, others = found[0], found[1 : OTHERS + 1]
    rival = next((one for one in found[1:] if one.document != best.document), None)
    matched = [weight for word, weight in weights.items() if word in present]
    nearest = sorted((one.dense for one in found[1:]), reverse=True)[:OTHERS]
    trust = readable**2
    return Evidence(
        dense=best.dense * trust,
        lexical=best.lexical,
        coverage=sum(matched) / (sum(weights.values()) or 1.0),
        matches=math.log1p(len(matched)),
        unread=1.0 - readable,
        lead=best.score - (rival.score if rival else 0.0),
        lexical_lead=best.lexical - (rival.lexical if rival else 0.0),
        mean_lead=best.score - _mean([one.score for one in others]),
        dense_lead=(best.dense - _mean(nearest)) * trust,
    )


# Fitted, each set and class with the same weight, on XQuAD's English and Chinese questions (whole
# and in collections of two articles) and the bundled bank's (whole and a folder at a time), with
# the question's article or passage taken out and with chat of other domains as what cannot be
# answered. `python -m tests.benchmarks decline` measures it.
WEIGHTS = Evidence(
    dense=10.35,
    lexical=-6.46,
    coverage=1.45,
    matches=1.25,
    unread=1.28,
    lead=23.84,
    lexical_lead=-5.85,
    mean_lead=16.97,
    dense_lead=-15.68,
)
INTERCEPT = -6.32

# The same for pairs, whose question is as like to one that asks for something else of the same
# matter as to its own paraphrase. Fitted on lists of 4, 12 and 26 or 50 pairs made of the training
# questions of BANKING77 and CLINC150, half of their intents, with questions of those that have no
# pair and of the other set as what cannot be answered; `unread` was not tried and is as above.
WEIGHTS_OF_PAIRS = Evidence(
    dense=2.63,
    lexical=-5.67,
    coverage=0.60,
    matches=0.72,
    unread=1.28,
    lead=9.43,
    lexical_lead=-3.53,
    mean_lead=10.33,
    dense_lead=0.94,
)
INTERCEPT_OF_PAIRS = -3.80


def confidence(evidence: Evidence, *, pair: bool = False) -> float:
    """The probability in [0, 1] that the best passage answers, by logistic regression.

    The leads hold the scores again, which is why some weights are negative: a better passage
    always has the higher confidence, other things being equal. `pair`: the best passage is the
    answer to a question of its own.
    """
    weights = WEIGHTS_OF_PAIRS if pair else WEIGHTS
    total = math.fsum(
        weight * value for weight, value in zip(astuple(weights), astuple(evidence), strict=True)
    )
    total += INTERCEPT_OF_PAIRS if pair else INTERCEPT
    return 1.0 / (1.0 + math.exp(-total))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
