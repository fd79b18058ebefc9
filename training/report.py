"""Reports for people: Markdown tables and pictures beside a model or a test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training.evaluate import Evaluation
from training.options import TrainResult

# More labels than this make a picture nobody can read; the most confused ones are shown.
_SHOWN = 40
_ROWS = 50


def write_training_report(result: TrainResult, folder: Path) -> None:
    """Write `report.md` of a training run."""
    spec, report = result.spec, result.report
    lines = [
        "# Training report",
        "",
        f"Method `{spec.method}`, encoder `{spec.encoder}`, {result.took_s:.0f} s. "
        f"{len(spec.intents)} intents, {len(spec.span_types)} entity types, "
        f"{len(spec.responses)} responses.",
        "",
        f"Measured on {report.get('n', 0)} examples ({report.get('split', 'none')}).",
        "",
        *_figures(report),
    ]
    if result.notices:
        lines += ["", "## Findings in the data", ""]
        lines += [f"- {notice.message}" for notice in result.notices[:_ROWS]]
    _write(folder / "report.md", lines)


def write_test_report(evaluation: Evaluation, figures: Mapping[str, Any], folder: Path) -> None:
    """Write `report.md`, `confusion.png` and `confidence.png` of a test into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Test report", "", f"Model `{evaluation.model}`.", "", *_figures(figures)]
    if evaluation.gold:
        draw_confusions(evaluation, folder / "confusion.png")
        draw_confidences(evaluation, folder / "confidence.png")
        lines += ["", "![Confusions](confusion.png)", "", "![Confidences](confidence.png)"]
        lines += ["", "## Intents", "", *_label_table(evaluation.intents())]
        lines += ["", "## Errors, most confident first", "", *_error_table(evaluation)]
    if evaluation.entities():
        lines += ["", "## Entities", "", *_label_table(evaluation.entities())]
    if evaluation.entity_errors:
        lines += ["", "## Entity errors", "", "| text | missed | wrong |", "| --- | --- | --- |"]
        lines += [
            f"| {_cell(text)} | {_cell(missed)} | {_cell(wrong)} |"
            for text, missed, wrong in evaluation.entity_errors[:_ROWS]
        ]
    failures = figures.get("stories", {}).get("failures", [])
    if failures:
        lines += ["", "## Stories that failed", ""]
        lines += [f"- {_cell(failure['story'])}" for failure in failures]
    _write(folder / "report.md", lines)


def _figures(report: Mapping[str, Any]) -> list[str]:
    lines = ["| part | figures |", "| --- | --- |"]
    for part in ("intent", "entity", "oos", "heads", "stories"):
        if part in report:
            shown = ", ".join(
                f"{k} {_number(v)}" for k, v in report[part].items() if k != "failures"
            )
            lines.append(f"| {part} | {_cell(shown)} |")
    return lines


def _label_table(scores: Mapping[str, Any]) -> list[str]:
    lines = ["| label | precision | recall | F1 | n |", "| --- | --- | --- | --- | --- |"]
    ordered = sorted(scores.items(), key=lambda item: (item[1].f1, item[0]))
    return lines + [
        f"| {_cell(name)} | {s.precision:.3f} | {s.recall:.3f} | {s.f1:.3f} | {s.support} |"
        for name, s in ordered
    ]


def _error_table(evaluation: Evaluation) -> list[str]:
    lines = ["| text | right | predicted | confidence |", "| --- | --- | --- | --- |"]
    return lines + [
        f"| {_cell(e.text)} | {_cell(e.gold)} | {_cell(e.predicted)} | {e.confidence:.3f} |"
        for e in evaluation.errors()[:_ROWS]
    ]


def _cell(text: str) -> str:
    """Text that cannot break out of a table's cell."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw_confusions(evaluation: Evaluation, path: Path) -> None:
    """The confusion matrix as a picture, rows = gold; of many labels the most confused ones."""
    names = _most_confused(evaluation)
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for gold, predicted in zip(evaluation.gold, evaluation.predicted, strict=True):
        if gold in index and predicted in index:
            counts[index[gold], index[predicted]] += 1
    size = max(5.0, 0.3 * len(names) + 2)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(np.log1p(counts), cmap="Blues")
    axes.set_xticks(range(len(names)), _plain(names), rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), _plain(names), fontsize=7)
    for row, column in np.argwhere(counts > 0):
        dark = counts[row, column] > counts.max() / 3
        axes.text(
            column,
            row,
            f"{counts[row, column]:.0f}",
            ha="center",
            va="center",
            fontsize=6,
            color="white" if dark else "black",
        )
    axes.set_xlabel("predicted")
    axes.set_ylabel("right")
    image.set_clim(0, max(1.0, float(np.log1p(counts).max())))
    _save(figure, path)


def draw_confidences(evaluation: Evaluation, path: Path) -> None:
    """How confident right and wrong predictions were, as two histograms."""
    values = np.array(evaluation.confidences)
    right = np.array(
        [g == p for g, p in zip(evaluation.gold, evaluation.predicted, strict=True)], dtype=bool
    )
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    bins = np.linspace(0, 1, 26)
    axes.hist(
        [values[right], values[~right]],
        bins=list(bins),
        stacked=True,
        label=[f"right ({right.sum()})", f"wrong ({(~right).sum()})"],
        color=["tab:blue", "tab:red"],
    )
    axes.set_yscale("symlog")
    axes.set_xlabel("confidence of the best intent")
    axes.set_ylabel("messages")
    axes.legend()
    _save(figure, path)


def _most_confused(evaluation: Evaluation) -> list[str]:
    names = sorted(set(evaluation.gold) | set(evaluation.predicted))
    if len(names) <= _SHOWN:
        return names
    wrong = dict.fromkeys(names, 0)
    for gold, predicted in zip(evaluation.gold, evaluation.predicted, strict=True):
        if gold != predicted:
            wrong[gold] += 1
            wrong[predicted] += 1
    return sorted(sorted(names, key=lambda name: -wrong[name])[:_SHOWN])


def _plain(names: Sequence[str]) -> list[str]:
    # A dollar sign would start a formula.
    return [name.replace("$", r"\$") for name in names]


def _save(figure: Figure, path: Path) -> None:
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        figure.savefig(path, dpi=120)
