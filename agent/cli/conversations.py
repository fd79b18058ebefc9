"""`agent conversations`: one person's data out, a Rasa tracker store in."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.options import JsonOption, ProjectOption
from agent.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Export one person's conversation, import a Rasa tracker store.",
        no_args_is_help=True,
    )
    group.command("export")(export)
    group.command("import")(import_trackers)
    app.add_typer(group, name="conversations")


def export(
    conversation: Annotated[str, typer.Argument(metavar="CONVERSATION", help="Its id.")],
    project: ProjectOption = None,
) -> None:
    """Print all that is stored about a conversation as one JSON document.

    Example: agent conversations export 5e0c… > mia.json
    """
    from knowledge.project_folder import find_project

    found = asyncio.run(_export(find_project(project), conversation))
    if not any(found[part] for part in ("events", "turns", "corrections")):
        raise InputError(f"nothing is stored about conversation {conversation[:80]!r}")
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2, default=str) + "\n")


def import_trackers(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Rasa's SQLite file, or trackers as JSON lines.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also conversations that are stored here already.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the conversations of a Rasa tracker store in; users go on where they were.

    Example: agent conversations import rasa.db
    """
    from knowledge.project_folder import find_project

    taken, kept = asyncio.run(_import(find_project(project), file, replace=replace))
    if as_json:
        sys.stdout.write(json.dumps({"imported": taken, "left": kept}) + "\n")
        return
    left = f", {kept} were here already (--replace takes them, too)" if kept else ""
    sys.stdout.write(f"{taken} conversations imported{left}\n")


async def _export(root: Path, conversation: str) -> dict[str, Any]:
    from agent.cli.opened import open_store
    from agent.feedback.correction_json import to_dict

    async with open_store(root) as store:
        corrections = await store.corrections()
        return {
            "conversation_id": conversation,
            "events": await store.load_events(conversation),
            "turns": await store.turns_of(conversation, limit=100_000),
            "corrections": [to_dict(c) for c in corrections if c.conversation_id == conversation],
        }


async def _import(root: Path, file: Path, *, replace: bool) -> tuple[int, int]:
    from agent.cli.opened import open_store
    from agent.storage.rasa_trackers import read_trackers

    taken = kept = 0
    conversations = list(read_trackers(file))
    async with open_store(root) as store:
        for conversation, events in conversations:
            async with store.lock(conversation) as lease:
                if not replace and await store.load_events(conversation):
                    kept += 1
                    continue
                await store.append_events(conversation, events, fence=lease.fence, replace=True)
                taken += 1
    return taken, kept
