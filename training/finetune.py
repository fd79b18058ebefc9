"""Trains the understanding of an assistant: examples in, the model folder's files out."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.project.types import Example, NluData
from agent.turn import OOS_INTENT
from agent.understanding.confidence import in_scope, intent_members, softmax
from agent.understanding.labels import ScopeModel, Spec, Thresholds, intent_of, save_spec
from training import metrics
from training.calibrate import (
    ambiguity_margin,
    fallback_sharpness,
    features_of,
    fit_scope,
    fit_temperature,
)
from training.corpus import Corpus, read_corpus, read_dev
from training.errors import InputError
from training.fitted import Fitted, HeldOut, label_names, targets_of
from training.follow import follow_calibration
from training.frozen.head import fit_head
from training.options import TrainOptions, TrainResult
from training.surrogates import with_surrogates

IN_SCOPE_THRESHOLD = 0.5


def train_understanding(nlu: NluData, out: Path, options: TrainOptions) -> TrainResult:
    """Train on examples and write the understanding's files into the folder `out`.

    Raises:
        InputError: unusable data or an encoder that is none.
        TrainingError: the training or the export failed.
    """
    started = monotonic()
    nlu = with_surrogates(nlu)
    corpus = read_corpus(nlu)
    dev = read_dev(options.dev, corpus) if options.dev is not None else None
    fitted = _fit(corpus, dev, out, options)
    options.progress(0.97, "calibrating")
    spec = _specify(corpus, fitted, nlu, options)
    save_spec(spec, out)
    _save_examples(corpus, fitted, out)
    if options.init_from is not None and options.method != "head" and dev is None:
        spec = follow_calibration(out, options.init_from)
    report = report_held_out(corpus, fitted.held, spec)
    options.progress(1.0, "done")
    notices = (*corpus.notices, *(dev.notices if dev else ()))
    return TrainResult(spec, report, monotonic() - started, notices)


def _fit(corpus: Corpus, dev: Corpus | None, out: Path, options: TrainOptions) -> Fitted:
    if options.compress and options.method != "full":
        raise InputError(f"--compress goes with method full, not {options.method}")
    if options.cures and options.method == "head":
        raise InputError("--cure goes with methods full and lora, not head")
    if options.method == "head":
        return fit_head(corpus, dev, out, options)
    # Here and not at the top: torch is imported only where a network is fine-tuned.
    from training.network.full import fit_full

    return fit_full(corpus, dev, out, options)


def _specify(corpus: Corpus, fitted: Fitted, nlu: NluData, options: TrainOptions) -> Spec:
    held = fitted.held
    targets = targets_of(corpus, held.examples)
    temperatures = {
        o: fit_temperature(held.logits[o], t) for o, t in targets.items() if o in held.logits
    }
    scope, ambiguity, sharpness = ScopeModel(), 0.0, 1.0
    if "intent" in temperatures:
        gold, heat = targets["intent"], temperatures["intent"]
        scope = fit_scope(held, gold, heat, options.false_alarms)
        intents = _intents(corpus, held, gold, heat)
        ambiguity = ambiguity_margin(*intents)
        sharpness = fallback_sharpness(*intents, options.fallback)
    return Spec(
        classes=corpus.classes,
        span_types=corpus.span_types,
        heads=corpus.heads,
        temperatures=temperatures,
        scope=scope,
        thresholds=Thresholds(
            IN_SCOPE_THRESHOLD,
            ambiguity,
            options.fallback.threshold,
            options.fallback.ambiguity_threshold,
            options.scope_decides,
            sharpness,
        ),
        max_tokens=fitted.max_tokens,
        encoder=fitted.encoder,
        method=options.method,
        patterns=_patterns(nlu, options),
        casing=fitted.casing,
        transitions=fitted.transitions,
    )


def _patterns(nlu: NluData, options: TrainOptions) -> dict[str, Any]:
    return {
        "values": None if options.values is None else options.values.to_json(),
        "matching": asdict(options.matching),
        "regexes": {label: list(found) for label, found in nlu.regexes.items()},
        "lookups": {label: list(words) for label, words in nlu.lookups.items()},
        "synonyms": dict(nlu.synonyms),
    }


def _save_examples(corpus: Corpus, fitted: Fitted, out: Path) -> None:
    np.save(out / "vectors.npy", fitted.vectors.astype(np.float16), allow_pickle=False)
    # Files hold no lone surrogates.
    texts = [e.text.encode("utf-8", "replace").decode() for e in corpus.examples]
    rows = [
        {"text": text, "intent": e.intent, "response": e.response, **_spans_json(e)}
        for text, e in zip(texts, corpus.examples, strict=True)
    ]
    (out / "examples.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def _spans_json(example: Example) -> dict[str, Any]:
    rows = [[s.start, s.end, s.label, s.role, s.group] for s in example.entities]
    return {"entities": rows} if rows else {}


def report_held_out(corpus: Corpus, held: HeldOut, spec: Spec) -> Mapping[str, Any]:
    """The figures over held-out examples, in the shape of `agent test --json`."""
    report: dict[str, Any] = {"split": held.source, "n": len(held.examples)}
    targets, names = targets_of(corpus, held.examples), label_names(corpus)
    if not held.examples:
        return report
    for output, gold in targets.items():
        if not (gold >= 0).any():
            continue
        heat = spec.temperature(output)
        if output == "intent":
            report["intent"] = _score(*_intents(corpus, held, gold, heat), corpus.intents)
            continue
        scores = _score(softmax(held.logits[output], heat), gold, names[output])
        kept = {k: scores[k] for k in ("accuracy", "macro_f1")}
        report.setdefault("heads", {})[output.removeprefix("head_")] = kept
    outside = np.array([e.intent == OOS_INTENT for e in held.examples])
    if outside.any() and "intent" in targets:
        report["oos"] = _score_oos(held, outside, targets["intent"], spec)
    if held.spans is not None and any(e.entities for e in held.examples):
        gold_spans = [{(s.start, s.end, s.label) for s in e.entities} for e in held.examples]
        found = [{(s.start, s.end, s.kind.label) for s in spans} for spans in held.spans]
        report["entity"] = metrics.as_json(metrics.score_entities(gold_spans, found))
    return report


def _intents(
    corpus: Corpus, held: HeldOut, gold: NDArray[np.int64], temperature: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Held-out probabilities (n, I) of intents, and gold intent numbers (n,), -1 = none."""
    probabilities = softmax(held.logits["intent"], temperature)
    number = [corpus.intents.index(intent_of(name)) for name in corpus.classes]
    intents = np.where(gold >= 0, np.array(number)[gold], -1)
    return probabilities @ intent_members(corpus.classes, corpus.intents), intents


def _score(
    probabilities: NDArray[np.float32], gold: NDArray[np.int64], names: tuple[str, ...]
) -> Mapping[str, Any]:
    rows = gold >= 0
    best = probabilities[rows].argmax(axis=1)
    return metrics.as_json(
        metrics.score_intents(
            [names[i] for i in gold[rows]],
            [names[i] for i in best],
            probabilities[rows].max(axis=1).tolist(),
        )
    )


def _score_oos(held: HeldOut, outside: Any, targets: Any, spec: Spec) -> Mapping[str, Any]:
    features = features_of(held, targets, spec.temperature("intent"))
    scores, inside = in_scope(spec.scope, features), targets >= 0
    rows = outside | inside
    return metrics.as_json(metrics.score_oos(outside[rows], scores[rows], spec.thresholds.in_scope))
