"""`agent learn`: the learning cycle, once or by the clock."""

import json
import logging
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent.cli.options import JsonOption, ProjectOption
from agent.cli.supervised import end_with_parent
from agent.errors import InputError
from knowledge.project_folder import find_project
from training.network.several import helps

if TYPE_CHECKING:
    from training.cycle import CycleResult

_log = logging.getLogger(__name__)
_PERIOD = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("learn")(learn)
    app.command("worker", hidden=True)(worker)


def worker(project: ProjectOption = None) -> None:
    """Learn every `learning.every` and whenever the review page asks: what `agent serve` starts.

    Example: agent worker --project my-assistant
    """
    from agent.settings import load_settings
    from training.worker import LearnOptions, learn_every

    end_with_parent()
    root = find_project(project)
    settings = load_settings(root)
    learn_every(
        root,
        settings,
        LearnOptions(),
        period_s=parse_period(settings.learning.every),
        report=lambda result: _log.info("%s: %s", result.decision, result.reason),
        wait_first=True,
    )


def learn(
    once: Annotated[bool, typer.Option("--once", help="One cycle (the default).")] = False,
    every: Annotated[
        str | None, typer.Option("--every", metavar="PERIOD", help="Again and again: 30m, 6h, 1d.")
    ] = None,
    min_corrections: Annotated[
        int | None,
        typer.Option("--min-corrections", min=1, help="New corrections that make a cycle."),
    ] = None,
    method: Annotated[
        Literal["full", "head", "lora"] | None,
        typer.Option("--method", help="full, lora or head; default: learning.method."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Random seed.")] = 0,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from accepted corrections: train a challenger, promote it only if it is better.

    Example: agent learn --once --min-corrections 5
    """
    # The training room's heavy libraries are loaded only by the command that needs them.
    from agent.settings import load_settings
    from training.cli.progress import progress_bar
    from training.worker import LearnOptions, learn_every, learn_once

    if helps():
        return
    if once and every is not None:
        raise InputError("give --once or --every, not both")
    period_s = None if every is None else parse_period(every)
    root = find_project(project)
    settings = load_settings(root)
    with progress_bar("learning") as progress:
        options = LearnOptions(method, min_corrections, seed, progress)
        if period_s is None:
            _report(learn_once(root, settings, options), as_json=as_json)
            return
        learn_every(
            root,
            settings,
            options,
            period_s=period_s,
            report=lambda result: _report(result, as_json=as_json),
        )


def parse_period(text: str) -> float:
    """A period such as `30m`, `6h` or `1d` in seconds.

    Raises:
        InputError: it is none, or not above 0.

    >>> parse_period("1.5h")
    5400.0
    """
    match = _PERIOD.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise InputError(f"a period is written like 30m, 6h or 1d, got {text!r}")
    return float(match[1]) * _SECONDS[match[2]]


def _report(result: "CycleResult", *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{result.decision}: {result.reason}\n")
        for who, figures in (("champion", result.champion), ("challenger", result.challenger)):
            if figures:
                shown = ", ".join(f"{k} {v}" for k, v in figures.items() if v is not None)
                sys.stdout.write(f"  {who}: {shown}\n")
        if result.regressions:
            worse = ", ".join(f"{name} (-{n})" for name, n in result.regressions.items())
            sys.stdout.write(f"  worse on: {worse}\n")
    sys.stdout.flush()
