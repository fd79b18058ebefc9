"""How right a network is: in torch while it trains, as an ONNX graph when it is exported."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.project.types import Example
from agent.understanding.bio import TaggedSpan, decode_logits
from training import metrics
from training.features import open_session, run_graph
from training.fitted import output_name, targets_of
from training.network.predict import Predictions, predict
from training.network.start import Part, Run

Floats = NDArray[np.float32]


def score(run: Run, part: Part) -> float:
    """The mean of the message labels' accuracy and the entities' F1, in [0, 1]."""
    types = run.corpus.span_types
    return _rate(run, part, predict(run.network, part.items, types, run.pad_id, run.follows))


def graph_score(run: Run, path: Path, part: Part) -> float:
    """The same of an ONNX file."""
    outputs = list(targets_of(run.corpus, part.examples))
    found = graph_outputs(run, path, part, [output_name(o) for o in outputs])
    logits = {output: np.stack(found[output_name(output)]) for output in outputs}
    spans: list[list[TaggedSpan]] = [[] for _ in part.items]
    if run.corpus.span_types:
        tags = graph_outputs(run, path, part, ["entity_logits"])["entity_logits"]
        units = [item.tokens.units for item in part.items]
        rows = zip(units, tags, strict=True)
        spans = [decode_logits(u, t, run.corpus.span_types, run.follows) for u, t in rows]
    return _rate(run, part, Predictions(logits, np.zeros((0, 0), np.float32), spans))


def _rate(run: Run, part: Part, found: Predictions) -> float:
    scores = [accuracy(run, part, found.logits)] if found.logits else []
    if run.corpus.span_types and any(e.entities for e in part.examples):
        scores.append(_entity_f1(part.examples, found))
    return float(np.mean(scores)) if scores else 0.0


def accuracy(run: Run, part: Part, logits: Mapping[str, Floats]) -> float:
    """The mean accuracy of the message-level outputs in [0, 1]; 1 where nothing is labelled."""
    found = []
    for output, gold in targets_of(run.corpus, part.examples).items():
        rows = gold >= 0
        if rows.any():
            found.append(float((logits[output].argmax(axis=1) == gold)[rows].mean()))
    return float(np.mean(found)) if found else 1.0


def _entity_f1(examples: Sequence[Example], found: Predictions) -> float:
    gold = [{(s.start, s.end, s.label) for s in e.entities} for e in examples]
    spans = [{(s.start, s.end, s.kind.label) for s in row} for row in found.spans]
    return metrics.score_entities(gold, spans).f1


def noise(part: Part) -> float:
    """One standard error of an accuracy near 0.95 on this many messages."""
    return float(np.sqrt(0.95 * 0.05 / max(len(part.items), 1)))


def graph_outputs(
    run: Run, path: Path, part: Part, names: Sequence[str]
) -> dict[str, list[Floats]]:
    """The named outputs of an ONNX file for all items, one array each."""
    if not names:
        return {}
    session = open_session(path, run.options.threads)
    tokens = [item.tokens for item in part.items]
    rows: dict[str, list[Floats]] = {
        name: [np.zeros(0, np.float32)] * len(tokens) for name in names
    }
    for places, _mask, values in run_graph(session, tokens, list(names), pad_id=run.pad_id):
        for name in names:
            for row, place in enumerate(places):
                rows[name][place] = values[name][row]
    return rows
