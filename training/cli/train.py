"""The command `agent train`."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from agent.cli.options import (
    FURTHER_WORDS,
    ConfigOption,
    DataOption,
    DomainOption,
    JsonOption,
    ProjectOption,
    check_rasas_paths,
    further_data,
)
from knowledge.errors import InputError
from knowledge.project_folder import find_project
from training.cli.notices import show_notices
from training.cli.progress import progress_bar
from training.cures.flags import read_cures
from training.network.several import helps

if TYPE_CHECKING:
    from training.assemble_model import Trained

TURNS = "turns"
RASAS_PARTS = (["nlu"], ["core"])
_LISTED = "; `agent validate` lists them"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", context_settings=FURTHER_WORDS)(train)


def train(
    context: typer.Context,
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
            help="Against little or noisy data: rdrop, fgm, pgd, smoothing, hide, swap, typos, "
            "speech, synonyms, translate, pretrain, pseudo, ensemble. Repeatable.",
            show_default=False,
        ),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            "--unlabelled",
            metavar="FILE|turns",
            help="Texts without labels for --cure pretrain and pseudo; turns: the turn log's.",
            show_default=False,
        ),
    ] = None,
    translators: Annotated[
        str | None,
        typer.Option(
            "--translators",
            metavar="THERE,BACK",
            help="Two translation models, by name or folder, for --cure translate.",
            show_default=False,
        ),
    ] = None,
    domain: DomainOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the assistant: understanding, policies and knowledge index.

    Rasa's `train nlu` and `train core` train all parts of it.

    Example: agent train --method head

    Example: agent train --nlu train.jsonl --dev dev.jsonl --out model
    """
    if helps():
        return
    if nlu and out is None:
        raise InputError("--nlu needs --out DIR, the model folder to write")
    if dev is not None and not nlu:
        raise InputError("--dev goes with --nlu; a project holds out a part by itself")
    words = context.args[1:] if context.args[:1] in RASAS_PARTS else context.args
    check_rasas_paths(project, domain, further_data(words, data), config)
    root = None if nlu else find_project(project)
    if root is not None:
        _tell_errors(root)
    given = {"encoder": encoder, "method": method}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with progress_bar("reading") as progress:
        chosen.update(seed=seed, epochs=epochs, progress=progress, checkpoints=checkpoints)
        chosen.update(cures=read_cures(cure or []), translators=_translators(translators))
        chosen.update(_unlabelled(unlabelled or [], root))
        chosen.update(compress=compress, logs=logs, adapter=adapter)
        if nlu and out is not None:
            trained = _train_alone(nlu, dev, out, chosen)
        else:
            assert root is not None
            trained = _train_project(root, out, chosen)
    _answer_training(trained, as_json)


def _unlabelled(sources: list[Path], root: Path | None) -> dict[str, list[str]]:
    """The texts of files, one a line or a JSON object with `text`; of `turns`, what users wrote.

    Raises:
        InputError: a file cannot be read, or `turns` without a project.
    """
    from training.cures.unlabelled import logged_texts, read_texts

    texts: list[str] = []
    conversations: list[str] = []
    for source in sources:
        if str(source) != TURNS:
            texts += read_texts(source)
        elif root is None:
            raise InputError("--unlabelled turns goes with a project, whose turn log it reads")
        else:
            logged, conversations = logged_texts(root)
            texts += logged
    return {"unlabelled": texts, "conversations": conversations}


def _translators(told: str | None) -> tuple[str, str] | None:
    if told is None:
        return None
    there, comma, back = told.partition(",")
    if not (comma and there.strip() and back.strip()):
        raise InputError("--translators takes two models: THERE,BACK")
    return there.strip(), back.strip()


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


def _tell_errors(root: Path) -> None:
    """Say before the training what `agent validate` calls errors; the rest is trained.

    Raises:
        ProjectError: the project cannot be read at all.
    """
    from agent.project import load_project, validate

    errors = [n for n in validate(load_project(root)) if n.level == "error"]
    show_notices(Console(stderr=True), errors, _LISTED)


def _answer_training(trained: "Trained", as_json: bool) -> None:
    console = Console(stderr=True)
    show_notices(console, trained.notices, _LISTED)
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
