"""Reports for people: Markdown tables and pictures beside a model or a test."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from training.evaluate import Evaluation
from training.metrics import confusions
from training.options import TrainResult
from training.testing.fairness import tell_outcomes
from training.testing.rasa_files import write_rasa_files
from training.testing.suspicious import Suspicion, as_rows, find_suspicious

# More labels than this make a picture nobody can read; the most confused ones are shown.
_SHOWN = 40
_ROWS = 50
# For the names of labels that the default font has no letters for.
_WIDE_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Sans Arabic")
_PARTS = ("intent", "entity", "oos", "stories")
_ABOUT_SUSPICIONS = (
    "By confident learning: another intent fits these messages as well as it fits its own examples."
)


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


def write_test_report(
    evaluation: Evaluation,
    figures: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write `report.md`, `report.json`, `confusion.png` and `confidence.png` into a folder.

    Beside them stand the files that Rasa's users read (see `rasa_files`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_rasa_files(evaluation, folder)
    suspicions = find_suspicious(evaluation)
    _write_json(evaluation, figures, suspicions, folder / "report.json")
    lines = ["# Test report", "", f"Model `{evaluation.model}`.", "", *_figures(figures)]
    if evaluation.gold:
        draw_confusions(evaluation, folder / "confusion.png")
        draw_confidences(evaluation, folder / "confidence.png")
        lines += _intent_sections(evaluation, suspicions)
    lines += _entity_sections(evaluation)
    for name, scores in evaluation.head_labels().items():
        lines += ["", f"## Head {_cell(name)}", "", *_label_table(scores)]
    if "robust" in figures:
        lines += _robustness(figures["robust"])
    failures = figures.get("stories", {}).get("failures", [])
    if failures:
        lines += ["", "## Stories that failed", ""]
        lines += [f"- {_cell(failure['story'])}" for failure in failures]
    _write(folder / "report.md", lines)


def _intent_sections(evaluation: Evaluation, suspicions: Sequence[Suspicion]) -> list[str]:
    lines = ["", "![Confusions](confusion.png)", "", "![Confidences](confidence.png)"]
    lines += ["", "## Intents", "", *_label_table(evaluation.intents())]
    if evaluation.errors():
        lines += ["", "## Errors, most confident first", "", *_error_table(evaluation)]
    if suspicions:
        lines += ["", "## Labels to review", "", _ABOUT_SUSPICIONS, "", *_review(suspicions)]
    return lines


def _entity_sections(evaluation: Evaluation) -> list[str]:
    lines: list[str] = []
    if evaluation.entities():
        lines += ["", "## Entities", "", *_label_table(evaluation.entities())]
    if evaluation.entity_errors:
        lines += ["", "## Entity errors", "", "| text | missed | wrong |", "| --- | --- | --- |"]
        lines += [
            f"| {_cell(text)} | {_cell(missed)} | {_cell(wrong)} |"
            for text, missed, wrong in evaluation.entity_errors[:_ROWS]
        ]
    return lines


def _figures(report: Mapping[str, Any]) -> list[str]:
    lines = ["| part | figures |", "| --- | --- |"]
    parts = {
        name: report[name] for name in ("intent", "entity", "oos", "stories") if name in report
    }
    parts |= {f"head {name}": values for name, values in report.get("heads", {}).items()}
    for part, values in parts.items():
        shown = ", ".join(f"{k} {_number(v)}" for k, v in values.items() if k != "failures")
        lines.append(f"| {_cell(part)} | {_cell(shown)} |")
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


def _review(suspicions: Sequence[Suspicion]) -> list[str]:
    lines = ["| text | label | fits better | margin | where |", "| --- | --- | --- | --- | --- |"]
    for s in suspicions[:_ROWS]:
        where = f"{s.place.path}:{s.place.line}" if s.place.path else ""
        shown = f"{_cell(s.label)} | {_cell(s.suggested)} | {s.margin:.3f} | {_cell(where)}"
        lines.append(f"| {_cell(s.text)} | {shown} |")
    return lines


def _robustness(figures: Mapping[str, Any]) -> list[str]:
    lines = ["", "## Under noise", "", "| noise | figures |", "| --- | --- |"]
    lines += [f"| {name} | {_shown(values)} |" for name, values in figures["noise"].items()]
    lines += ["", "## Who writes must not matter", "", "| what differs | figures |"]
    lines += ["| --- | --- |"]
    lines += [f"| {kind} | {_shown(values)} |" for kind, values in figures["fairness"].items()]
    differences = figures["differences"]
    if differences:
        lines += ["", "| what differs | message | understood as |", "| --- | --- | --- |"]
    for one in differences[:_ROWS]:
        told = tell_outcomes(one["outcomes"])
        lines.append(f"| {one['kind']} | {_cell(one['text'])} | {_cell(told)} |")
    return lines


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in values.items())


def _write_json(
    evaluation: Evaluation,
    figures: Mapping[str, Any],
    suspicions: Sequence[Suspicion],
    path: Path,
) -> None:
    """Everything of the report for programs."""
    document = {
        "figures": figures,
        "intents": {name: asdict(s) for name, s in evaluation.intents().items()},
        "entities": {name: asdict(s) for name, s in evaluation.entities().items()},
        "confusions": confusions(evaluation.gold, evaluation.predicted),
        "errors": [asdict(error) for error in evaluation.errors()],
        "labels_to_review": as_rows(suspicions),
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    path.write_text(text.encode("utf-8", "replace").decode() + "\n", encoding="utf-8")


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
    total = len({*evaluation.gold, *evaluation.predicted})
    if total > len(names):
        axes.set_title(f"the {len(names)} most confused of {total}")
    axes.set_xlabel("predicted")
    axes.set_ylabel("right")
    image.set_clim(0, max(1.0, float(np.log1p(counts).max())))
    _save(figure, path)


def draw_confidences(evaluation: Evaluation, path: Path) -> None:
    """How confident right and wrong predictions were, as two histograms side by side."""
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
    fonts = [name for name in _WIDE_FONTS if name in get_font_names()]
    with mpl.rc_context({"font.family": ["DejaVu Sans", *fonts]}), catch_warnings():
        # Without such a font a box stands for the letter; the tables have the name.
        simplefilter("ignore", UserWarning)
        figure.savefig(path, dpi=120)
