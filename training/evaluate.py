"""Measures a model on labelled messages: what `agent test` counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.project.types import Example, NluData, Place
from agent.turn import FALLBACK_INTENT, OOS_INTENT, IntentScore, Understanding
from agent.understanding.interpreter import Interpreter
from agent.understanding.values import EXTRACTORS as VALUES
from training import metrics
from training.corpus import is_intent

T = TypeVar("T")
Span = tuple[int, int, str]
Floats = NDArray[np.float32]

_BATCH = 256
_NO_PROBABILITIES: Floats = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class IntentError:
    """A message whose best intent is wrong; `confidence` in [0, 1] is the wrong one's."""

    text: str
    gold: str
    predicted: str
    confidence: float
    place: Place


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Gold and predicted labels of a test, in order, from which all figures follow.

    `gold`, `predicted`, `confidences` and `texts` cover the messages with a gold intent;
    `outside` and `in_scope` those and the `oos` ones; the spans all messages of a file
    that annotates any. `heads` maps a head to its (gold, predicted) labels. `probabilities`
    (n, I) are those of `labels` for each of `texts`, which stand at `places`.
    """

    model: str
    threshold: float
    texts: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()
    outside: tuple[bool, ...] = ()
    in_scope: tuple[float, ...] = ()
    gold_spans: tuple[frozenset[Span], ...] = ()
    found_spans: tuple[frozenset[Span], ...] = ()
    heads: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    entity_errors: tuple[tuple[str, str, str], ...] = ()
    places: tuple[Place, ...] = ()
    labels: tuple[str, ...] = ()
    probabilities: Floats = field(default_factory=lambda: _NO_PROBABILITIES, compare=False)

    def figures(self) -> dict[str, Any]:
        """The JSON of `agent test`, less the stories; a part without gold is absent."""
        found: dict[str, Any] = {}
        if self.gold:
            scores = metrics.score_intents(self.gold, self.predicted, self.confidences)
            found["intent"] = metrics.as_json(scores)
        if any(self.gold_spans):
            spans = metrics.score_entities(self.gold_spans, self.found_spans)
            found["entity"] = metrics.as_json(spans)
        if any(self.outside):
            oos = metrics.score_oos(self.outside, self.in_scope, self.threshold)
            found["oos"] = metrics.as_json(oos)
        if self.heads:
            found["heads"] = {name: _head_figures(pairs) for name, pairs in self.heads.items()}
        return found

    def intents(self) -> dict[str, metrics.LabelScore]:
        """Each intent's scores."""
        return metrics.per_label(self.gold, self.predicted)

    def entities(self) -> dict[str, metrics.LabelScore]:
        """Each entity label's scores, exact spans; empty without annotated entities."""
        if not any(self.gold_spans):
            return {}
        labels = {s[2] for spans in (*self.gold_spans, *self.found_spans) for s in spans}
        return {label: self._entity(label) for label in sorted(labels)}

    def head_labels(self) -> dict[str, dict[str, metrics.LabelScore]]:
        """Each label's scores, by head."""
        return {
            name: metrics.per_label([g for g, _ in pairs], [p for _, p in pairs])
            for name, pairs in self.heads.items()
        }

    def _entity(self, label: str) -> metrics.LabelScore:
        gold = [{s for s in spans if s[2] == label} for spans in self.gold_spans]
        found = [{s for s in spans if s[2] == label} for spans in self.found_spans]
        scores = metrics.score_entities(gold, found)
        return metrics.LabelScore(scores.precision, scores.recall, scores.f1, scores.n)

    def errors(self) -> list[IntentError]:
        """The messages with a wrong best intent, most confident first."""
        rows = zip(
            self.texts, self.gold, self.predicted, self.confidences, self.places, strict=True
        )
        wrong = [IntentError(*row) for row in rows if row[1] != row[2]]
        return sorted(wrong, key=lambda error: (-error.confidence, error.text))


def evaluate(interpreter: Interpreter, data: NluData) -> Evaluation:
    """Run the messages of labelled data through an interpreter and collect what is compared.

    No threshold applies to the intents: the best in-scope label counts.
    """
    examples = [e for e in data.examples if e.text.strip()]
    heard = _understand(interpreter, [e.text for e in examples])
    pairs = list(zip(examples, heard, strict=True))
    inside = [(e, u, _best(u)) for e, u in pairs if is_intent(e.intent)]
    scoped = [(e, u) for e, u in pairs if is_intent(e.intent) or e.intent == OOS_INTENT]
    gold_spans = [_gold_spans(e) for e in examples]
    annotated = {span[2] for spans in gold_spans for span in spans}
    heard = [_without_values(u, annotated) for u in heard]
    labels = tuple(sorted({s.intent for _, u, _ in inside for s in u.ranking} - {FALLBACK_INTENT}))
    return Evaluation(
        model=interpreter.model_version or "",
        threshold=interpreter.spec.thresholds.in_scope,
        texts=tuple(e.text for e, _, _ in inside),
        gold=tuple(str(e.intent) for e, _, _ in inside),
        predicted=tuple(best.intent for _, _, best in inside),
        confidences=tuple(best.confidence for _, _, best in inside),
        outside=tuple(e.intent == OOS_INTENT for e, _ in scoped),
        in_scope=tuple(u.in_scope for _, u in scoped),
        gold_spans=tuple(gold_spans),
        found_spans=tuple(_found_spans(u) for u in heard),
        heads=_heads(pairs),
        entity_errors=tuple(_entity_errors(examples, heard)) if any(gold_spans) else (),
        places=tuple(e.place for e, _, _ in inside),
        labels=labels,
        probabilities=_probabilities([u for _, u, _ in inside], labels),
    )


def join(parts: Sequence[Evaluation]) -> Evaluation:
    """Evaluations of disjoint parts as one; they need not rank the same intents."""
    labels = tuple(sorted({label for part in parts for label in part.labels}))
    return Evaluation(
        model=parts[0].model,
        threshold=parts[0].threshold,
        texts=_chain(part.texts for part in parts),
        gold=_chain(part.gold for part in parts),
        predicted=_chain(part.predicted for part in parts),
        confidences=_chain(part.confidences for part in parts),
        outside=_chain(part.outside for part in parts),
        in_scope=_chain(part.in_scope for part in parts),
        gold_spans=_chain(part.gold_spans for part in parts),
        found_spans=_chain(part.found_spans for part in parts),
        heads={
            name: _chain(part.heads.get(name, ()) for part in parts)
            for name in sorted({name for part in parts for name in part.heads})
        },
        entity_errors=_chain(part.entity_errors for part in parts),
        places=_chain(part.places for part in parts),
        labels=labels,
        probabilities=np.concatenate([_spread(part, labels) for part in parts]),
    )


def _chain(parts: Iterable[Sequence[T]]) -> tuple[T, ...]:
    return tuple(one for part in parts for one in part)


def _spread(part: Evaluation, labels: Sequence[str]) -> Floats:
    """The part's probabilities with a column for every label."""
    spread = np.zeros((len(part.texts), len(labels)), np.float32)
    spread[:, [labels.index(label) for label in part.labels]] = part.probabilities
    return spread


def _probabilities(heard: Sequence[Understanding], labels: Sequence[str]) -> Floats:
    columns = {label: column for column, label in enumerate(labels)}
    probabilities = np.zeros((len(heard), len(labels)), np.float32)
    for row, understanding in enumerate(heard):
        for score in understanding.ranking:
            if score.intent in columns:
                probabilities[row, columns[score.intent]] = score.confidence
    return probabilities


def _without_values(heard: Understanding, annotated: set[str]) -> Understanding:
    """Without the values that nobody annotates, as Rasa measures."""
    kept = tuple(e for e in heard.entities if e.extractor not in VALUES or e.label in annotated)
    return heard if len(kept) == len(heard.entities) else replace(heard, entities=kept)


def _understand(interpreter: Interpreter, texts: Sequence[str]) -> list[Understanding]:
    heard: list[Understanding] = []
    for start in range(0, len(texts), _BATCH):
        heard += interpreter.understand(texts[start : start + _BATCH])
    return heard


def _best(heard: Understanding) -> IntentScore:
    ranked = (score for score in heard.ranking if score.intent != FALLBACK_INTENT)
    return next(ranked, IntentScore("", 0.0))


def _gold_spans(example: Example) -> frozenset[Span]:
    return frozenset((e.start, e.end, e.label) for e in example.entities)


def _found_spans(heard: Understanding) -> frozenset[Span]:
    return frozenset((e.start, e.end, e.label) for e in heard.entities)


def _heads(
    pairs: Sequence[tuple[Example, Understanding]],
) -> dict[str, tuple[tuple[str, str], ...]]:
    names = sorted({name for e, _ in pairs for name in e.labels})
    return {
        name: tuple(
            (e.labels[name], u.heads[name][0].intent if u.heads.get(name) else "")
            for e, u in pairs
            if name in e.labels
        )
        for name in names
    }


def _head_figures(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    accuracy = sum(g == p for g, p in pairs) / len(pairs)
    return {
        "accuracy": round(accuracy, 6),
        "macro_f1": round(metrics.macro_f1(gold, predicted), 6),
    }


def _entity_errors(
    examples: Sequence[Example], answers: Sequence[Understanding]
) -> list[tuple[str, str, str]]:
    errors = []
    for example, heard in zip(examples, answers, strict=True):
        gold, found = _gold_spans(example), _found_spans(heard)
        if gold != found:
            text = example.text
            errors.append((text, _spell(text, gold - found), _spell(text, found - gold)))
    return errors


def _spell(text: str, spans: frozenset[Span]) -> str:
    return "; ".join(f"{label}: {text[start:end]}" for start, end, label in sorted(spans))
