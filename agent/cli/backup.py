"""`agent backup` and `agent restore`: a project's store and serving model as one file."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from agent.storage.backup import Kept


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it (.tar.gz).")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write conversations, turn log, corrections, users and the serving model into one file.

    The project's own files (domain, data, actions, knowledge) belong into version control.
    The file holds what users wrote, and only you can read it: keep it as safe as the store.

    Example: agent backup bank-2026-11-24.tar.gz
    """
    from knowledge.project_folder import find_project

    kept = asyncio.run(_back_up(find_project(project), file, replace=force))
    _tell(f"{file}: {kept.keys} keys, {len(kept.models)} model", kept, as_json)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `agent backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what the store holds.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into the project's store; stop its servers first.

    Example: agent restore bank-2026-11-24.tar.gz --project bank
    """
    from knowledge.project_folder import find_project

    kept = asyncio.run(_restore(find_project(project), file, replace=replace))
    _tell(f"{kept.keys} keys and {len(kept.models)} model are back", kept, as_json)


def _tell(text: str, kept: "Kept", as_json: bool) -> None:
    if as_json:
        text = json.dumps({"keys": kept.keys, "models": list(kept.models)})
    sys.stdout.write(text + "\n")


async def _back_up(root: Path, file: Path, *, replace: bool) -> "Kept":
    from agent.cli.opened import open_store
    from agent.storage.backup import back_up

    async with open_store(root) as store:
        return await back_up(store, root, file, replace=replace)


async def _restore(root: Path, file: Path, *, replace: bool) -> "Kept":
    from agent.cli.opened import open_store
    from agent.storage import backup

    async with open_store(root) as store:
        return await backup.restore(store, root, file, replace=replace)
