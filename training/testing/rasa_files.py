"""What `rasa test nlu` writes into its results folder, for the pipelines that read it there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.evaluate import Evaluation
from training.metrics import LabelScore, confusions

_CONFUSED = 3
"""How many other intents Rasa names for each."""


def write_rasa_files(evaluation: Evaluation, folder: Path) -> None:
    """Write `intent_report.json`, `intent_errors.json`, `intent_successes.json`.

    Where entities are annotated, `entity_report.json` stands beside them. The shapes are Rasa's,
    but that an entity is right where its place and label are: Rasa counts words.
    """
    figures = evaluation.figures()
    if evaluation.gold:
        report = _report(evaluation.intents(), _confused(evaluation))
        report["accuracy"] = figures["intent"]["accuracy"]
        _write(report, folder / "intent_report.json")
        _write(_rows(evaluation, right=False), folder / "intent_errors.json")
        _write(_rows(evaluation, right=True), folder / "intent_successes.json")
    if entities := evaluation.entities():
        micro = figures["entity"]
        average = LabelScore(micro["precision"], micro["recall"], micro["f1"], micro["n"])
        report = {**_report(entities, {}), "micro avg": _row(average)}
        _write(report, folder / "entity_report.json")


def _confused(evaluation: Evaluation) -> dict[str, dict[str, int]]:
    """The intents that each one was most often taken for, and how often."""
    found: dict[str, dict[str, int]] = {}
    for gold, predicted, count in confusions(evaluation.gold, evaluation.predicted):
        others = found.setdefault(gold, {})
        if len(others) < _CONFUSED:
            others[predicted] = count
    return found


def _report(
    scores: Mapping[str, LabelScore], confused: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """Each label's row and the averages over them, plain and weighted by their counts."""
    rows = list(scores.values())
    total = sum(row.support for row in rows)
    plain = [1 / len(rows)] * len(rows)
    weighted = [row.support / total if total else 0.0 for row in rows]
    of_labels = {
        name: {**_row(row), "confused_with": dict(confused.get(name, {}))}
        for name, row in scores.items()
    }
    averages = {"macro avg": plain, "weighted avg": weighted}
    return of_labels | {name: _row(_average(rows, w, total)) for name, w in averages.items()}


def _average(rows: list[LabelScore], weights: list[float], total: int) -> LabelScore:
    pairs = list(zip(rows, weights, strict=True))
    return LabelScore(
        sum(row.precision * weight for row, weight in pairs),
        sum(row.recall * weight for row, weight in pairs),
        sum(row.f1 * weight for row, weight in pairs),
        total,
    )


def _row(score: LabelScore) -> dict[str, float | int]:
    return {
        "precision": score.precision,
        "recall": score.recall,
        "f1-score": score.f1,
        "support": score.support,
    }


def _rows(evaluation: Evaluation, *, right: bool) -> list[dict[str, Any]]:
    """The messages that were understood right, or those that were not, the surest first."""
    rows = zip(
        evaluation.texts,
        evaluation.gold,
        evaluation.predicted,
        evaluation.confidences,
        strict=True,
    )
    return [
        {
            "text": text,
            "intent": gold,
            "intent_prediction": {"name": predicted, "confidence": confidence},
        }
        for text, gold, predicted, confidence in sorted(rows, key=lambda row: -row[3])
        if (gold == predicted) is right
    ]


def _write(document: Any, path: Path) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    path.write_text(text.encode("utf-8", "replace").decode() + "\n", encoding="utf-8")
