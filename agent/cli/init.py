"""`agent init`: a new assistant from a template."""

import re
import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from agent.errors import AgentError, InputError
from knowledge.project_folder import BUNDLED, bundled_assistant, copy_assistant


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The new folder.", show_default=False)
    ],
    template: Annotated[
        str, typer.Option("--template", metavar="NAME", help="The assistant to start from.")
    ] = BUNDLED,
) -> None:
    """Write a new assistant project into DIR, which must be new or empty.

    Example: agent init my-bank
    """
    source = bundled_assistant(template)
    target = folder.expanduser().absolute()
    if target.exists() and not target.is_dir():
        raise InputError("is a file: name a new folder", path=folder)
    if target.is_dir() and any(target.iterdir()):
        raise InputError("is not empty: name a new folder, or an empty one", path=folder)
    _copy(source, target, folder)
    _name(target)
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"Wrote the assistant [bold]{escape(template)}[/] to {escape(str(folder))}. Next:"
    )
    console.print(f"  cd {escape(str(folder))}")
    console.print("  agent validate   checks it")
    console.print("  agent train      trains it")
    if template == "newsroom":
        console.print("  agent monitor FILE   reads news, a JSON line an item")
    console.print("  agent chat       talks to it")


def _copy(source: Path, target: Path, shown: Path) -> None:
    try:
        if target.is_dir():
            _fill(source, target)
        else:
            copy_assistant(source, target)
    except OSError as error:
        raise AgentError(f"{shown}: cannot be written: {error.strerror or error}") from error


def _name(target: Path) -> None:
    """Give the copy an `assistant_id` of its own: it tells projects on one Redis apart."""
    config = target / "config.yml"
    text = config.read_text(encoding="utf-8")
    new = f"assistant_id: {re.sub(r'[^A-Za-z0-9_-]', '-', target.name)}-{secrets.token_hex(4)}"
    config.write_text(re.sub(r"(?m)^assistant_id:.*$", new, text), encoding="utf-8")


def _fill(source: Path, target: Path) -> None:
    """Copy into a folder that is there: it may be the current one, so it is not replaced."""
    fresh = target / ".new"
    copy_assistant(source, fresh)
    for path in fresh.iterdir():
        path.rename(target / path.name)
    fresh.rmdir()
