"""What every training method hands over for calibration and for the model folder."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.project.types import Example
from agent.turn import OOS_INTENT
from agent.understanding.bio import TaggedSpan
from agent.understanding.transitions import NO_TRANSITIONS, Transitions, count_transitions
from training.corpus import Corpus, class_of
from training.descriptions import SOURCE as DESCRIPTION

# Chosen on multidogo_finance dev, whose largest intent has 1,248 examples and smallest 1:
# accuracy 95.1 against 94.6 without and 94.6 with full balance, macro F1 91.2, 88.6, 90.1.
BALANCE = 0.5
# How much steps from tag to tag count beside the network's own scores: more costs a point on some
# sets, see CONTRIBUTING.md.
STEPS = 0.15

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """What surrounds messages: the training examples' vectors.

    `vectors` (m, H) of those with an intent, `classes` (m,) their class numbers, `outside`
    (k, H) of those marked `oos`.
    """

    vectors: Floats
    classes: Ints
    outside: Floats


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Outputs for messages that the network was not fitted to, and what surrounds them.

    `logits` maps an output (`intent`, `head_<name>`) to (n, C); `pooled` is
    (n, H); `spans` are the predicted ones, None where they were not measured; `skip_self`
    says that the messages are themselves among the `known` examples.
    """

    examples: Sequence[Example]
    logits: Mapping[str, Floats]
    pooled: Floats
    known: Known
    spans: Sequence[Sequence[TaggedSpan]] | None = None
    skip_self: bool = False
    source: str = "dev"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network: held-out outputs, and each training example's vector (n, H).

    `max_tokens` is what the network reads of a message, special tokens included.
    """

    held: HeldOut
    vectors: Floats
    encoder: str
    max_tokens: int
    details: Mapping[str, float | int | str] = field(default_factory=dict)
    casing: bool = False
    transitions: Transitions = NO_TRANSITIONS


def targets_of(corpus: Corpus, examples: Sequence[Example]) -> dict[str, Ints]:
    """Class numbers (n,) for each output, -1 where an example says nothing.

    Keys: `intent`, whose numbers are those of `corpus.classes`, and `head_<name>`; those that
    the corpus has labels for.
    """
    found: dict[str, Ints] = {}
    if corpus.classes:
        found["intent"] = _numbers(corpus.classes, [class_of(e) for e in examples])
    for name, labels in corpus.heads.items():
        found[f"head_{name}"] = _numbers(labels, [e.labels.get(name) for e in examples])
    return found


def _numbers(labels: Sequence[str], names: Sequence[str | None]) -> Ints:
    index = {label: number for number, label in enumerate(labels)}
    return np.array([-1 if n is None else index.get(n, -1) for n in names], dtype=np.int64)


def label_names(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """The class names of each output, in the order of its columns."""
    names = {"intent": corpus.classes}
    names.update({f"head_{name}": labels for name, labels in corpus.heads.items()})
    return {output: labels for output, labels in names.items() if labels}


def output_name(output: str) -> str:
    """The ONNX output that holds an output's logits."""
    return output if output.startswith("head_") else f"{output}_logits"


def known_of(corpus: Corpus, examples: Sequence[Example], vectors: Floats) -> Known:
    """The examples' vectors (n, H), apart by what they are labelled with."""
    classes = targets_of(corpus, examples).get("intent", np.full(len(examples), -1))
    outside = np.array([e.intent == OOS_INTENT for e in examples], dtype=bool)
    return Known(vectors[classes >= 0], classes[classes >= 0], vectors[outside])


def transitions_of(
    corpus: Corpus, examples: Sequence[Example], tags: Iterable[Sequence[int]]
) -> Transitions:
    """How the tags of examples follow each other; a description says nothing about that."""
    if not corpus.span_types:
        return NO_TRANSITIONS
    told = [row for e, row in zip(examples, tags, strict=True) if e.source != DESCRIPTION]
    return count_transitions(told, 1 + 2 * len(corpus.span_types), STEPS)


def weights_of(examples: Sequence[Example]) -> Floats:
    """Each example's importance (n,)."""
    return np.array([e.weight for e in examples], dtype=np.float32)


def balance_of(examples: Sequence[Example], power: float = BALANCE) -> Floats:
    """How much more a rare intent's example counts (n,), 1 on average.

    The inverse of the intent's frequency to the given power in [0, 1].
    """
    counts = Counter(class_of(e) for e in examples)
    factors = np.array([counts[class_of(e)] ** -power for e in examples], dtype=np.float32)
    return factors / max(float(factors.mean()), 1e-6) if len(factors) else factors


def intent_weights(output: str, examples: Sequence[Example]) -> Floats:
    """The weights (n,) of an output's examples: balanced for the intent, plain for others."""
    plain = weights_of(examples)
    return plain * balance_of(examples) if output == "intent" else plain
