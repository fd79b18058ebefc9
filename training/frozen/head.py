"""Method `head`: linear heads and a small tagger on a frozen encoder; seconds, no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from agent.errors import ModelError
from agent.understanding.bio import decode_logits, encode_spans
from agent.understanding.labels import load_spec
from agent.understanding.transitions import Transitions, follow_scores
from knowledge.convert import encoder_folder
from knowledge.encoder_spec import EncoderSpec
from training.corpus import Corpus, folds
from training.descriptions import SOURCE as DESCRIPTION
from training.descriptions import own_examples
from training.features import Tokenization, Tokens, open_session, run_graph
from training.fitted import (
    Fitted,
    HeldOut,
    intent_weights,
    known_of,
    label_names,
    targets_of,
    transitions_of,
)
from training.frozen.head_inputs import Inputs, apart, inputs_of
from training.frozen.linear import Linear, cross_logits, fit_linear
from training.frozen.splice import splice_heads
from training.frozen.tagger import Tagger, fit_tagger
from training.label_names import name_examples
from training.options import TrainOptions

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_FOLDS = 5
# Vectors are kept in half precision, and int8 gives a text of another batch a little other ones.
_ROUNDED = 0.02


@dataclass(frozen=True, slots=True)
class Features:
    """Frozen features of texts: `pooled` (n, H) and, if asked for, each text's states (T, H)."""

    tokens: Sequence[Tokens]
    pooled: Floats
    states: Sequence[Floats]


def fit_head(corpus: Corpus, dev: Corpus | None, out: Path, options: TrainOptions) -> Fitted:
    """Train the heads and write the network, its tokenizer and its spelling into `out`.

    Without dev data the held-out outputs are cross-fitted in five folds, so that every
    example both trains and calibrates.
    """
    # These matrices are small: several BLAS threads would wait for each other, five times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        return _fit(corpus, dev, out, options)


def _fit(corpus: Corpus, dev: Corpus | None, out: Path, options: TrainOptions) -> Fitted:
    folder = encoder_folder(options.encoder, notify=lambda text: options.progress(0.0, text))
    spec = EncoderSpec.load(folder)
    limit = min(options.max_tokens, spec.max_tokens)
    texts = [e.text for e in (*corpus.examples, *(dev.examples if dev else ()))]
    tokenization = Tokenization.load(folder / "tokenizer.json", limit, texts)
    if corpus.span_types:
        features = _encode(folder, tokenization, spec.pad_id, texts, True, options)
    else:
        known = known_vectors(options.init_from, spec.name, tokenization)
        features = _encode_new(folder, tokenization, spec.pad_id, texts, known, options)
    count = len(corpus.examples)
    names = name_examples(corpus)
    learned = replace(corpus, examples=(*corpus.examples, *names))
    pooled = features.pooled[:count]
    if names:
        read = _encode(folder, tokenization, spec.pad_id, [e.text for e in names], False, options)
        pooled = np.concatenate([pooled, read.pooled])
    inputs = inputs_of(corpus, learned, pooled, folds(corpus.examples, _FOLDS))
    linears = _fit_linears(learned, inputs)
    options.progress(0.65, "heads fitted")
    tagger = _fit_tagger(corpus, features, options) if corpus.span_types else None
    named, spelling = apart(linears, inputs)
    splice_heads(folder / "encoder.onnx", out / "understanding.onnx", named, tagger)
    spelling.save(out)
    tokenization.save(out / "tokenizer.json")
    transitions = _transitions(corpus, features)
    held = (
        _cross_fit(corpus, learned, inputs)
        if dev is None
        else _on_dev(corpus, dev, features, inputs, linears, tagger, follow_scores(transitions))
    )
    return Fitted(held, features.pooled[:count], spec.name, limit, transitions=transitions)


def known_vectors(
    model: Path | None, encoder: str, tokenization: Tokenization
) -> dict[str, Floats]:
    """The vectors (H,) that a model of the same frozen encoder has of its examples, by text.

    None of a model that tokenized its texts in another way (see `training.lent_ids`).
    """
    if model is None:
        return {}
    try:
        spec = load_spec(model)
        rows = json.loads((model / "examples.json").read_text(encoding="utf-8"))
        vectors = np.load(model / "vectors.npy", allow_pickle=False).astype(np.float32)
    except (ModelError, OSError, ValueError):
        return {}
    if (spec.method, spec.encoder, spec.max_tokens) != ("head", encoder, tokenization.max_tokens):
        return {}
    if not tokenization.is_saved_as(model / "tokenizer.json"):
        return {}
    return {row["text"]: vector for row, vector in zip(rows, vectors, strict=True)}


def _encode_new(
    folder: Path,
    tokenization: Tokenization,
    pad_id: int,
    texts: Sequence[str],
    known: Mapping[str, Floats],
    options: TrainOptions,
) -> Features:
    """The features of texts, none of whose states are wanted; only unknown ones are encoded.

    One known text is encoded as well: another vector tells that the encoder was exchanged.
    """
    probe = [text for text in texts if text in known][:1]
    new = [text for text in dict.fromkeys(texts) if text not in known]
    found = _encode(folder, tokenization, pad_id, [*probe, *new], False, options).pooled
    if probe and not np.allclose(found[0], known[probe[0]], atol=_ROUNDED):
        return _encode(folder, tokenization, pad_id, texts, False, options)
    vectors = {**known, **dict(zip([*probe, *new], found, strict=True))}
    return Features((), np.stack([vectors[text] for text in texts]), ())


def _encode(
    folder: Path,
    tokenization: Tokenization,
    pad_id: int,
    texts: Sequence[str],
    with_states: bool,
    options: TrainOptions,
) -> Features:
    session = open_session(folder / "encoder.onnx", options.threads)
    tokens = tokenization.tokenize(texts)
    wanted = ["pooled", "last_hidden_state"] if with_states else ["pooled"]
    pooled: list[Floats] = [np.zeros(0, np.float32)] * len(texts)
    states = list(pooled)
    for rows, mask, values in run_graph(
        session, tokens, wanted, pad_id=pad_id, report=lambda x: options.progress(x * 0.6, "texts")
    ):
        for place, row in enumerate(rows):
            pooled[row] = values["pooled"][place]
            if with_states:
                states[row] = values["last_hidden_state"][place, : mask[place].sum()]
    return Features(tokens, np.stack(pooled), states)


def _fit_linears(corpus: Corpus, inputs: Inputs) -> dict[str, Linear]:
    sizes = {output: len(labels) for output, labels in label_names(corpus).items()}
    return {
        output: fit_linear(
            inputs.of(output),
            targets,
            sizes[output],
            weights=intent_weights(output, corpus.examples),
        )
        for output, targets in targets_of(corpus, corpus.examples).items()
    }


def _fit_tagger(corpus: Corpus, features: Features, options: TrainOptions) -> Tagger:
    blocks: list[Floats] = []
    positions: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    start = 1
    blank = np.zeros((1, features.states[0].shape[1]), np.float32)
    for example, tokens, states in zip(
        corpus.examples, features.tokens, features.states, strict=False
    ):
        tags, _ = encode_spans(tokens.units, example.entities, corpus.span_types)
        positions += [start + unit.token for unit in tokens.units]
        targets += tags
        # A description says nothing about where entities stand.
        weights += [0.0 if example.source == DESCRIPTION else example.weight] * len(tags)
        blocks += [blank, states]
        start += len(states) + 1
    return fit_tagger(
        np.concatenate([*blocks, blank]),
        np.array(positions, dtype=np.int64),
        np.array(targets, dtype=np.int64),
        1 + 2 * len(corpus.span_types),
        seed=options.seed,
        weights=np.array(weights, dtype=np.float32),
        report=lambda x, loss: options.progress(0.65 + 0.3 * x, f"entities, loss {loss:.3f}"),
    )


def _transitions(corpus: Corpus, features: Features) -> Transitions:
    tags = (
        encode_spans(tokens.units, example.entities, corpus.span_types)[0]
        for example, tokens in zip(corpus.examples, features.tokens, strict=False)
    )
    return transitions_of(corpus, corpus.examples, tags)


def _cross_fit(corpus: Corpus, learned: Corpus, inputs: Inputs) -> HeldOut:
    """Each example's logits from heads that did not see its fold; names are in every fold."""
    parts, own = folds(corpus.examples, _FOLDS), inputs.pooled[: len(corpus.examples)]
    logits = {}
    for output, targets in targets_of(learned, learned.examples).items():
        weights = intent_weights(output, learned.examples)
        classes = len(label_names(corpus)[output])
        every = cross_logits(inputs.of(output), targets, classes, parts, weights=weights)
        logits[output] = every[: len(own)]
    known = known_of(corpus, corpus.examples, own)
    # Descriptions come last: they surround the messages, and are none to judge by.
    count = len(own_examples(corpus.examples))
    judged = {output: values[:count] for output, values in logits.items()}
    return HeldOut(
        corpus.examples[:count], judged, own[:count], known, skip_self=True, source="5 folds"
    )


def _on_dev(
    corpus: Corpus,
    dev: Corpus,
    features: Features,
    inputs: Inputs,
    linears: dict[str, Linear],
    tagger: Tagger | None,
    follows: Floats | None,
) -> HeldOut:
    count = len(corpus.examples)
    pooled = features.pooled[count:]
    known = known_of(corpus, corpus.examples, features.pooled[:count])
    spans = None
    if tagger is not None:
        types = corpus.span_types
        rows = zip(features.tokens[count:], features.states[count:], strict=True)
        spans = [decode_logits(t.units, tagger.logits(s), types, follows) for t, s in rows]
    texts = [example.text for example in dev.examples]
    logits = {o: linear.logits(inputs.read(o, pooled, texts)) for o, linear in linears.items()}
    return HeldOut(dev.examples, logits, pooled, known, spans)
