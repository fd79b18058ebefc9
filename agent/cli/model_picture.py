"""A picture of accuracy over the versions, in a terminal."""

import math
from collections.abc import Mapping, Sequence

from rich.text import Text

from agent.registry import ModelVersion

_WIDTH = 30
_STYLES = {"production": "green", "retired": "cyan", "candidate": "dim", "broken": "red"}


def accuracies(versions: Sequence[ModelVersion]) -> dict[str, float]:
    """Each version's accuracy, by id, all measured in the same way.

    What gates measured on the frozen tests, of a challenger and of the champion before it;
    where no gate has measured anything, what the trainings held out.
    """
    frozen: dict[str, float] = {}
    for version in versions:
        gate = version.manifest.get("gate")
        if not isinstance(gate, Mapping):
            continue
        for name, part in ((version.parent, "champion"), (version.id, "challenger")):
            found = gate.get(part, {}).get("frozen_accuracy")
            if name is not None and isinstance(found, int | float):
                frozen[name] = float(found)
    return frozen or {one.id: value for one in versions if (value := _held_out(one)) is not None}


def _held_out(version: ModelVersion) -> float | None:
    intent = version.report.get("intent")
    found = intent.get("accuracy") if isinstance(intent, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


def picture(versions: Sequence[ModelVersion]) -> Text:
    """One bar a version, oldest first, from a stated accuracy well below the worst to the best.

    Versions without a figure are left out; with fewer than two there is nothing to see.
    """
    known = accuracies(versions)
    ordered = sorted(versions, key=lambda one: one.id)
    rows = [(one, known[one.id]) for one in ordered if one.id in known]
    if len(rows) < 2:
        return Text()
    best, worst = max(value for _, value in rows), min(value for _, value in rows)
    # A tenth at least, or the chance of one test more would look like twice as good.
    floor = max(0.0, math.floor((worst - max(0.1, (best - worst) / 2)) * 20) / 20)
    text = Text(f"accuracy over the versions, bars from {floor:.2f}\n", style="dim")
    for version, value in rows:
        length = round(_WIDTH * (value - floor) / max(best - floor, 0.05))
        text.append(f"  {version.id[:16]} ")
        text.append("█" * max(length, 1) + " " * (_WIDTH - length), style=_STYLES[version.state])
        text.append(f" {value:.3f} {version.state}\n")
    return text
