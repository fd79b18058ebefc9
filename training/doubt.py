"""Corrections that are probably wrong, found before anything is trained on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from agent.feedback.correction import Correction
from agent.project.types import Example
from agent.understanding.confidence import softmax
from training.corpus import is_intent, stable_order
from training.frozen.linear import fit_linear

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]

# More than this share of the corrections is never held back: then it is the model that errs.
MOST_FLAGGED = 0.12
_FOLDS = 5
# With fewer corrections than this there is nothing to learn about their authors' care.
_FEWEST = 10
_OWN_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """The base examples' unit vectors (n, H) and their n intents."""

    vectors: Floats
    intents: Sequence[str]


def find_doubtful(examples: Sequence[Example], known: Known, encode: Encode) -> dict[str, str]:
    """The ids of corrections whose intent is probably wrong, with what is likelier.

    Confident learning (Northcutt, Jiang, Chuang 2021, "Confident Learning"), ranked by
    self-confidence (section 3.3): out-of-sample probabilities from a logistic regression on
    base data and the other corrections. Corrections are what models find hard, so that most
    have likelier labels than the right one; a label is doubted where it is less likely than
    a blind guess. At most `MOST_FLAGGED` of all are named, the least likely first. Chosen on
    BANKING77's training part: 5 % random labels among a head's errors are found to 90 % and
    more; a reviewer who repeats the model's own error cannot be found so.

    Args:
        examples: what corrections say, with `source` `correction:<id>`.
        known: the base data as the encoder sees it.
        encode: texts to unit vectors (n, H), the same encoder.
    """
    labelled = [e for e in examples if is_intent(e.intent)]
    if len(labelled) < _FEWEST:
        return {}
    names = sorted({*known.intents, *(str(e.intent) for e in labelled)})
    number = {name: i for i, name in enumerate(names)}
    given = np.array([number[str(e.intent)] for e in labelled])
    base = np.array([number[name] for name in known.intents], dtype=np.int64)
    vectors = encode([e.text for e in labelled])
    with threadpool_limits(limits=1, user_api="blas"):
        chances = _held_out_chances(vectors, given, known.vectors, base, len(names), labelled)
    own = chances[np.arange(len(given)), given]
    order = [int(i) for i in np.argsort(own) if own[i] < 1.0 / len(names)]
    chosen = order[: int(MOST_FLAGGED * len(labelled))]
    return {
        labelled[i].source.removeprefix("correction:"): (
            f"its label {labelled[i].intent!r} is doubtful: {names[int(chances[i].argmax())]!r} "
            "is likelier; have it confirmed by another reviewer"
        )
        for i in chosen
    }


def confirmed(correction: Correction) -> bool:
    """Whether two people stand by a correction: doubt does not stop it then."""
    people = {change.by for change in correction.history if change.state == "accepted"}
    if correction.trust != "anonymous":
        people.add(correction.author)
    return len(people) > 1


def _held_out_chances(
    vectors: Floats,
    given: NDArray[np.int64],
    base_vectors: Floats,
    base: NDArray[np.int64],
    classes: int,
    labelled: Sequence[Example],
) -> Floats:
    """Each correction's probabilities (n, C) from a fit that did not see its fold."""
    chances = np.zeros((len(given), classes), np.float32)
    order = sorted(range(len(given)), key=lambda i: stable_order(labelled[i].text))
    everything = np.concatenate([base_vectors.astype(np.float32), vectors])
    weights = np.concatenate([np.ones(len(base)), np.full(len(given), _OWN_WEIGHT)])
    for fold in range(_FOLDS):
        rows = np.array(order[fold::_FOLDS], dtype=np.int64)
        if not len(rows):
            continue
        targets = np.concatenate([base, given])
        targets[len(base) + rows] = -1
        fitted = fit_linear(everything, targets, classes, weights=weights.astype(np.float32))
        chances[rows] = softmax(fitted.logits(vectors[rows]))
    return chances


def doubtful_among(
    corrections: Mapping[str, Correction], examples: Sequence[Example], known: Known, encode: Encode
) -> dict[str, str]:
    """The doubtful ones that only one person stands by."""
    found = find_doubtful(examples, known, encode)
    return {
        one: why
        for one, why in found.items()
        if one in corrections and not confirmed(corrections[one])
    }
