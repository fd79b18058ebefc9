"""Adds what words and letters say to a fine-tuned network, where that makes it more right."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agent.understanding.confidence import softmax
from agent.understanding.spelling import Spelling
from training.calibrate import fit_temperature
from training.corpus import Corpus, hold_out
from training.fitted import HeldOut, intent_weights, label_names, output_name, targets_of
from training.frozen.linear import fit_linear
from training.frozen.spelling import Letters
from training.label_names import name_examples

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# How much the letters' own logits count beside the network's.
_SHARES = (0.25, 0.5, 1.0, 2.0)
# Fewer held-out messages than this tell nothing.
_FEWEST = 20
# So many standard errors above nothing a gain is no chance.
_SURE = 2.0


def with_spelling(
    corpus: Corpus, held: HeldOut, settled: Mapping[str, float] | None = None
) -> tuple[HeldOut, Spelling]:
    """The held-out logits with those of letters added, and what adds them when it serves.

    The network knows an example by heart, so both learn apart: the letters' regression from what
    the network was taught before the held-out messages, then from all. Their share is the one at
    which the held-out messages are most likely; none if that is no more than chance. `settled`
    are the shares of a network that went on from an earlier one: it knows the held-out messages,
    too, so that the earlier one's shares stay.
    """
    if settled is not None and not settled:
        return held, Spelling()
    kept = corpus.examples
    if held.source == "hold-out":
        kept = tuple(corpus.examples[i] for i in hold_out(corpus.examples)[0])
    letters, weights = _learned(replace(corpus, examples=kept))
    read = letters.read([example.text for example in held.examples])
    logits, shares = dict(held.logits), {}
    for output, gold in targets_of(corpus, held.examples).items():
        if output not in logits:
            continue
        said = read @ weights[output].T
        share = (
            _share(logits[output], said, gold)
            if settled is None
            else settled.get(output_name(output), 0.0)
        )
        if share:
            shares[output_name(output)] = share
            logits[output] = logits[output] + share * said
    if not shares:
        return held, Spelling()
    letters, weights = _learned(corpus)
    terms = {
        output_name(output): (letters.basis @ own.T * shares[output_name(output)]).astype(
            np.float16
        )
        for output, own in weights.items()
        if output_name(output) in shares
    }
    return replace(held, logits=logits), Spelling(letters.terms, terms, shares)


def _learned(corpus: Corpus) -> tuple[Letters, dict[str, Floats]]:
    """The examples' letters, and for each output the weights (C, D) of their regression."""
    learned = replace(corpus, examples=(*corpus.examples, *name_examples(corpus)))
    letters = Letters.of([example.text for example in learned.examples])
    sizes = {output: len(labels) for output, labels in label_names(corpus).items()}
    weights = {
        output: fit_linear(
            letters.vectors,
            targets,
            sizes[output],
            weights=intent_weights(output, learned.examples),
        ).weight
        for output, targets in targets_of(learned, learned.examples).items()
    }
    return letters, weights


def _share(network: Floats, letters: Floats, gold: Ints) -> float:
    """How much the letters' logits (n, C) are to count beside the network's (n, C)."""
    rows = gold >= 0
    if rows.sum() < _FEWEST:
        return 0.0
    alone = _likelihood(network[rows], gold[rows])
    best, share = 0.0, 0.0
    for tried in _SHARES:
        gain = _likelihood(network[rows] + tried * letters[rows], gold[rows]) - alone
        error = float(gain.std()) / np.sqrt(len(gain))
        if gain.mean() > max(best, _SURE * error):
            best, share = float(gain.mean()), tried
    return share


def _likelihood(logits: Floats, gold: Ints) -> Floats:
    """The log-likelihood (n,) of the right classes at the best temperature."""
    probabilities = softmax(logits, fit_temperature(logits, gold))
    right: Floats = np.log(np.maximum(probabilities[np.arange(len(gold)), gold], 1e-12))
    return right
