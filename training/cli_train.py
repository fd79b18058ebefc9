"""The command `agent train`."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from agent.cli.options import JsonOption, ProjectOption
from knowledge.errors import InputError
from knowledge.project_folder import find_project
from training.progress import progress_bar

if TYPE_CHECKING:
    from agent.project.types import Notice
    from training.assemble_model import Trained

_NOTICES = 10
_LARGEST_CURE = 10.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    nlu: Annotated[
        list[Path] | None,
        typer.Option(
            "--nlu",
            metavar="FILE",
            help="Train understanding alone from these examples (Rasa YAML or JSONL).",
            show_default=False,
        ),
    ] = None,
    dev: Annotated[
        Path | None,
        typer.Option("--dev", metavar="FILE", help="Examples to stop and calibrate by."),
    ] = None,
    method: Annotated[
        Literal["full", "head", "lora"] | None,
        typer.Option(
            "--method",
            help="full: fine-tune everything; head: frozen features, in seconds; "
            "lora: small adapters. Default: the settings' (with --nlu: full).",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME_OR_PATH", help="The pretrained encoder."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Makes a run repeatable.")] = 0,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Passes over the data.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The model folder to write.", show_default=False),
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints",
            metavar="DIR",
            help="Save each epoch there; the same command goes on from it after a kill.",
            show_default=False,
        ),
    ] = None,
    compress: Annotated[
        bool,
        typer.Option(
            "--compress",
            help="Method full: let a network of half the layers learn from the trained one; "
            "about twice as fast to run, twice as long to train, less sure of entities.",
        ),
    ] = False,
    adapter: Annotated[
        Literal["lora", "adalora"],
        typer.Option("--adapter", help="Method lora: one rank for all layers, or shared out."),
    ] = "lora",
    logs: Annotated[
        Path | None,
        typer.Option(
            "--logs",
            metavar="DIR",
            help="Write curves for TensorBoard there (and to Weights & Biases, if installed).",
            show_default=False,
        ),
    ] = None,
    cure: Annotated[
        list[str] | None,
        typer.Option(
            "--cure",
            metavar="NAME[=SIZE]",
            help="Against little or noisy data: rdrop, fgm, smoothing, hide, swap. Repeatable.",
            show_default=False,
        ),
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the assistant: understanding, policies and knowledge index.

    Example: agent train --method head

    Example: agent train --nlu train.jsonl --dev dev.jsonl --out model
    """
    if nlu and out is None:
        raise InputError("--nlu needs --out DIR, the model folder to write")
    if dev is not None and not nlu:
        raise InputError("--dev goes with --nlu; a project holds out a part by itself")
    given = {"encoder": encoder, "method": method}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with progress_bar("reading") as progress:
        chosen.update(seed=seed, epochs=epochs, progress=progress, checkpoints=checkpoints)
        chosen.update(cures=_cures(cure or []))
        chosen.update(compress=compress, logs=logs, adapter=adapter)
        if nlu and out is not None:
            trained = _train_alone(nlu, dev, out, chosen)
        else:
            trained = _train_project(find_project(project), out, chosen)
    _answer_training(trained, as_json)


def _cures(wanted: list[str]) -> dict[str, float]:
    """The numbers of the recipe that `--cure` sets.

    Raises:
        InputError: an unknown name, or a size that is no number from 0 to 10.
    """
    if not wanted:
        return {}
    from training.cures import CURES  # loads torch

    found = {}
    for one in wanted:
        name, equals, size = one.partition("=")
        if name not in CURES:
            raise InputError(f"unknown --cure {name!r}: use one of {', '.join(CURES)}")
        key, usual = CURES[name]
        try:
            found[key] = float(size) if equals else usual
        except ValueError as error:
            raise InputError(f"--cure {one!r}: the size must be a number") from error
        if not 0 <= found[key] <= _LARGEST_CURE:
            raise InputError(f"--cure {one!r}: the size must lie between 0 and 10")
    return found


def _train_alone(nlu: list[Path], dev: Path | None, out: Path, chosen: dict[str, Any]) -> "Trained":
    # Loads ONNX, scikit-learn and, for method full, torch: only when it is used.
    from agent.project import load_nlu_and_notices
    from training.assemble_model import train_understanding_alone
    from training.options import TrainOptions

    data, notices = load_nlu_and_notices(nlu)
    held, more = load_nlu_and_notices([dev]) if dev is not None else (None, ())
    options = TrainOptions(**chosen, dev=held)
    trained = train_understanding_alone(data, out, options)
    return replace(trained, notices=(*notices, *more, *trained.notices))


def _train_project(root: Path, out: Path | None, chosen: dict[str, Any]) -> "Trained":
    from agent.settings import load_settings
    from training.assemble_model import train_project
    from training.knowledge_index import index_knowledge
    from training.options import TrainOptions

    settings = load_settings(root)
    options = TrainOptions(
        **{
            "encoder": settings.understanding.encoder,
            "method": settings.understanding.method,
            "learned_policy": settings.dialogue.learned_policy,
            **chosen,
        }
    )
    return train_project(root, options, out=out, index_knowledge=index_knowledge)


def _answer_training(trained: "Trained", as_json: bool) -> None:
    console = Console(stderr=True)
    _show_notices(console, trained.notices)
    if as_json:
        document = {
            "model": str(trained.model),
            "took_s": round(trained.took_s, 2),
            "report": trained.report,
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    console.print(f"Trained in {trained.took_s:.0f} s: {trained.model}", highlight=False)
    for part in ("intent", "entity", "oos"):
        if part in trained.report:
            figures = ", ".join(f"{k} {v:.4g}" for k, v in trained.report[part].items() if v)
            where = f"{part} ({trained.report['split']}): {figures}"
            console.print(where, highlight=False)


def _show_notices(console: Console, notices: "tuple[Notice, ...]") -> None:
    warnings = [notice for notice in notices if notice.level != "info"]
    for notice in warnings[:_NOTICES]:
        place = f"{notice.place.path}:{notice.place.line}: " if notice.place.path else ""
        key = f"{notice.key}: " if notice.key else ""
        console.print(
            f"{place}{key}{notice.message}", markup=False, highlight=False, soft_wrap=True
        )
    if len(warnings) > _NOTICES:
        more = len(warnings) - _NOTICES
        console.print(f"and {more} more findings; `agent validate` lists them")
