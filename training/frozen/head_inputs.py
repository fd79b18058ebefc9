"""What the message heads of method `head` are fitted to: vectors of the encoder and letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.understanding.spelling import Spelling
from training.corpus import Corpus
from training.fitted import intent_weights, label_names, output_name, targets_of
from training.frozen.linear import Linear
from training.frozen.spelling import Letters, choose_scale, joined, split

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the message heads read of the learned texts: the encoder's vectors and the letters.

    `pooled` (n, H); `scales` says for each output how much its letters count (see
    `training.frozen.spelling`).
    """

    pooled: Floats
    letters: Letters
    scales: Mapping[str, float]

    def of(self, output: str) -> Floats:
        """The vectors (n, …) that an output's head is fitted to."""
        return joined(self.pooled, self.letters.vectors, self.scales[output])

    def read(self, output: str, pooled: Floats, texts: Sequence[str]) -> Floats:
        """Those of other texts, whose encoder's vectors are `pooled` (m, H)."""
        scale = self.scales[output]
        return joined(pooled, self.letters.read(texts), scale) if scale else pooled


def inputs_of(
    corpus: Corpus, learned: Corpus, pooled: Floats, parts: Sequence[Sequence[int]]
) -> Inputs:
    """The inputs of all that is learned, which begins with the corpus's own examples.

    Args:
        corpus: the training data.
        learned: that and names of labels as examples.
        pooled: (n, H) the encoder's vectors of what is learned.
        parts: folds of the corpus, to choose by how much letters count.
    """
    letters = Letters.of([example.text for example in learned.examples])
    sizes = label_names(corpus)
    scales = {
        output: choose_scale(
            pooled,
            letters.vectors,
            targets,
            len(sizes[output]),
            parts,
            intent_weights(output, learned.examples),
        )
        for output, targets in targets_of(learned, learned.examples).items()
    }
    return Inputs(pooled, letters, scales)


def apart(linears: Mapping[str, Linear], inputs: Inputs) -> tuple[dict[str, Linear], Spelling]:
    """The heads on the encoder's vectors, named as in the graph, and what letters add to them."""
    named, weights = {}, {}
    for output, linear in linears.items():
        name, scale = output_name(output), inputs.scales[output]
        if scale:
            named[name], weights[name] = split(linear, inputs.letters, scale)
        else:
            named[name] = linear
    return named, Spelling(inputs.letters.terms, weights)
