"""The command `agent train`."""

import json
import sys
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
        if nlu and out is not None:
            trained = _train_alone(nlu, dev, out, chosen)
        else:
            trained = _train_project(find_project(project), out, chosen)
    _answer_training(trained, as_json)


def _train_alone(nlu: list[Path], dev: Path | None, out: Path, chosen: dict[str, Any]) -> "Trained":
    # Loads ONNX, scikit-learn and, for method full, torch: only when it is used.
    from agent.project import load_nlu
    from training.assemble_model import train_understanding_alone
    from training.options import TrainOptions

    held = load_nlu([dev]) if dev is not None else None
    options = TrainOptions(**chosen, dev=held)
    return train_understanding_alone(load_nlu(nlu), out, options)


def _train_project(root: Path, out: Path | None, chosen: dict[str, Any]) -> "Trained":
    from agent.settings import load_settings
    from training.assemble_model import train_project
    from training.knowledge_index import index_knowledge
    from training.options import TrainOptions

    settings = load_settings(root).understanding
    options = TrainOptions(**{"encoder": settings.encoder, "method": settings.method, **chosen})
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
        console.print(f"{place}{notice.message}", markup=False, highlight=False, soft_wrap=True)
    if len(warnings) > _NOTICES:
        more = len(warnings) - _NOTICES
        console.print(f"and {more} more findings; `agent validate` lists them")
