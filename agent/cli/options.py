"""The options that the commands share."""

from pathlib import Path
from typing import Annotated

import typer

from agent.errors import InputError
from knowledge.project_folder import find_project


def _in_production(model: Path | None) -> Path | None:
    """Of a folder of models, as Rasa's `--model models` names it, the one in production."""
    pointer = model / "production" if model is not None else None
    if model is None or pointer is None or not pointer.is_file():
        return model
    return model / Path(pointer.read_text("utf-8", errors="replace").strip()).name


def check_own(
    option: str, given: Path | None, names: tuple[str, ...], project: Path | None
) -> None:
    """Refuse another file or folder than the project's own, the only one that is read.

    Raises:
        InputError: it is another one.
    """
    if given is None:
        return
    root = find_project(project)
    if given.resolve() not in [(root / name).resolve() for name in names]:
        hint = "; `agent models promote` chooses a model" if "models" in names else ""
        raise InputError(f"{option} must be the project's own {names[0]}, got {given}{hint}")


def check_rasas_paths(
    project: Path | None, domain: Path | None, data: list[Path] | None, config: Path | None
) -> None:
    """Take the paths that a call of Rasa's names, if they are the project's own.

    Raises:
        InputError: one is another.
    """
    check_own("--domain", domain, ("domain.yml", "domain.yaml", "domain"), project)
    check_own("--config", config, ("config.yml", "config.yaml"), project)
    for path in data or ():
        check_own("--data", path, ("data",), project)


FURTHER_WORDS = {"allow_extra_args": True}
"""Settings of a command that takes Rasa's list after `--data`; the words are `context.args`."""


def further_data(words: list[str], data: list[Path] | None) -> list[Path]:
    """The values of `--data`, which Rasa takes as a list after one option.

    Raises:
        InputError: there are words, but no `--data` before them.
    """
    if words and not data:
        raise InputError(f"unexpected words: {' '.join(words)}")
    return [*(data or ()), *map(Path, words)]


DomainOption = Annotated[Path | None, typer.Option("--domain", "-d", hidden=True)]
DataOption = Annotated[list[Path] | None, typer.Option("--data", hidden=True)]
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", hidden=True)]
ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The assistant's folder. Default: the current folder if it holds a domain.yml or "
        "domain/, else the bundled bank assistant.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document to standard output.")
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        metavar="DIR",
        callback=_in_production,
        help="A model folder instead of the project's; no memory, no Redis.",
        show_default=False,
    ),
]
