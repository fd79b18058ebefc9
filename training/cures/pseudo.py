"""Pseudo-labels: texts that nobody labelled, with what a trained network is sure of about them."""

from collections.abc import Mapping, Sequence

import numpy as np

from agent.project.types import Example
from agent.understanding.confidence import softmax
from agent.understanding.labels import intent_of
from training.batches import make_items
from training.calibrate import fit_temperature
from training.corpus import fold
from training.fitted import label_names, targets_of
from training.network.predict import predict
from training.network.start import Part, Run

SOURCE = "pseudo"
# A guess says less than a label that a person gave.
WEIGHT = 0.3


def pseudo_labelled(
    run: Run, texts: Sequence[str], judged: Part, threshold: float
) -> list[Example]:
    """Those texts whose labels the network is sure of, as examples without entities.

    Texts that are trained on or judged by are left out. Source: Lee 2013, "Pseudo-Label".

    Args:
        run: the trained network.
        texts: unlabelled ones.
        judged: labelled examples that it was not fitted to; they calibrate the confidence.
        threshold: in [0, 1], from where on a label is believed.
    """
    known = {fold(e.text) for e in (*run.corpus.examples, *judged.examples)}
    fresh = [text for text in dict.fromkeys(texts) if text.strip() and fold(text) not in known]
    names = label_names(run.corpus)
    if not fresh or not names:
        return []
    items = make_items(run.corpus, [Example(text, None) for text in fresh], run.tokenization)
    found = predict(run.network, items, (), run.pad_id)
    heats = _temperatures(run, judged)
    best: dict[str, list[str | None]] = {}
    for output, labels in names.items():
        shares = softmax(found.logits[output], heats.get(output, 1.0))
        sure = shares.max(axis=1) >= threshold
        columns = shares.argmax(axis=1)
        best[output] = [labels[c] if s else None for c, s in zip(columns, sure, strict=True)]
    made = [_example(text, {o: row[i] for o, row in best.items()}) for i, text in enumerate(fresh)]
    return [one for one in made if one.intent is not None or one.labels]


def _temperatures(run: Run, judged: Part) -> dict[str, float]:
    if not judged.items:
        return {}
    logits = predict(run.network, judged.items, (), run.pad_id).logits
    targets = targets_of(run.corpus, judged.examples)
    return {
        output: fit_temperature(np.asarray(logits[output]), gold)
        for output, gold in targets.items()
    }


def _example(text: str, labels: Mapping[str, str | None]) -> Example:
    name = labels.get("intent")
    intent = intent_of(name) if name else None
    heads = {o.removeprefix("head_"): label for o, label in labels.items() if o != "intent"}
    return Example(
        text,
        intent,
        response=name if name != intent else None,
        labels={head: label for head, label in heads.items() if label},
        weight=WEIGHT,
        source=SOURCE,
    )
