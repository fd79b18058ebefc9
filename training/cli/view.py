"""How a terminal shows what `agent test` measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.evaluate import Evaluation
from training.testing.fairness import tell_outcomes

_ROWS = 10


def show_figures(console: Console, evaluation: Evaluation, figures: Mapping[str, Any]) -> None:
    """Print the figures, the surest errors, labels to review, and stories that failed."""
    for part in ("intent", "entity", "oos", "stories"):
        if part in figures:
            _show_line(console, part, figures[part])
    for kind, found in figures.get("stories", {}).get("coverage", {}).items():
        console.print(f"  {kind} that they touch: {found['tested']} of {found['total']}")
    for name, values in figures.get("heads", {}).items():
        _show_line(console, f"head {name}", values)
    errors = evaluation.errors()
    if errors:
        rows = [(e.text, e.gold, e.predicted, f"{e.confidence:.3f}") for e in errors]
        _show_table(console, "Surest errors", ("Text", "Right", "Predicted", "Confidence"), rows)
    review = figures.get("labels_to_review", ())
    if review:
        listed = [(r["text"], r["label"], r["suggested"], _place(r)) for r in review]
        _show_table(console, "Labels to review", ("Text", "Label", "Fits better", "Where"), listed)
    if "robust" in figures:
        _show_robustness(console, figures["robust"])
    for failure in figures.get("stories", {}).get("failures", []):
        console.print(failure["diff"], markup=False, highlight=False)


def _show_line(console: Console, part: str, values: Mapping[str, Any]) -> None:
    shown = ", ".join(
        f"{k} {_short(v)}" for k, v in values.items() if not isinstance(v, list | dict)
    )
    console.print(Text.assemble((part, "bold"), f": {shown}"), highlight=False)


def _show_robustness(console: Console, figures: Mapping[str, Any]) -> None:
    rows = [
        (name, *(_short(values.get(key, "")) for key in ("accuracy", "accuracy_lost", "entity_f1")))
        for name, values in figures["noise"].items()
    ]
    _show_table(console, "Under noise", ("Noise", "Accuracy", "Lost", "Entity F1"), rows)
    fair = [
        (kind, *(_short(v[key]) for key in ("groups", "differing", "rate", "gap")))
        for kind, v in figures["fairness"].items()
    ]
    columns = ("What differs", "Messages", "Understood differently", "Rate", "Accuracy gap")
    _show_table(console, "Who writes must not matter", columns, fair)
    found = figures["differences"]
    if found:
        told = [(one["kind"], one["text"], tell_outcomes(one["outcomes"])) for one in found]
        title, names = "Understood differently", ("What differs", "Message", "Understood as")
        _show_table(console, title, names, told)


def _show_table(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows[:_ROWS]:
        table.add_row(*map(Text, row))
    console.print(table)
    if len(rows) > _ROWS:
        console.print(Text(f"and {len(rows) - _ROWS} more: see the report (--out DIR)", "dim"))


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['file']}:{row['line']}" if row["file"] else ""


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
