"""`agent forget`: deletes what is stored about a person."""

import asyncio
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.opened import open_store
from agent.cli.options import JsonOption, ProjectOption
from agent.registry import Registry, mark_of
from agent.storage.forget import Forgotten
from knowledge.project_folder import find_project

_NOT_COVERED = (
    "Not covered: what the project's own actions keep about this person, in files or elsewhere.\n"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget")(forget)


def forget(
    conversation: Annotated[
        str, typer.Argument(metavar="CONVERSATION", help="The conversation's id.")
    ],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a conversation: its events, turns and corrections, also from the files behind them.

    Models that were trained on what is deleted are named: they are left as they are.
    What the project's own actions keep (their files, other systems) is not covered.

    Example: agent forget 5e0c…
    """
    root = find_project(project)
    done = asyncio.run(_forget(root, conversation))
    models = trained_on(root, done.corrections, conversation)
    if as_json:
        document = {
            "conversation": done.conversation_id,
            "turns": done.turns,
            "events": done.events,
            "corrections": list(done.corrections),
            "spooled": done.spooled,
            "rewritten": done.rewritten,
            "models": models,
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(_sentence(done, models))


async def _forget(root: Path, conversation: str) -> Forgotten:
    async with open_store(root) as store:
        return await store.forget(conversation)


def trained_on(root: Path, corrections: Collection[str], conversation: str = "") -> list[str]:
    """The ids of the models that one of these corrections, or a conversation's words, taught.

    Their manifests say so; newest first.
    """
    wanted = {*corrections, mark_of(conversation)}
    names = ("corrections", "learned", "conversations")
    return [
        version.id
        for version in Registry(root).versions()
        if any(wanted & set(version.manifest.get(name, ())) for name in names)
    ]


def _sentence(done: Forgotten, models: list[str]) -> str:
    if not (done.turns or done.events or done.corrections or done.spooled):
        return f"Nothing was stored about {done.conversation_id}.\n{_NOT_COVERED}"
    lines = [
        f"Deleted {done.turns} turns with their events, {len(done.corrections)} corrections and "
        f"{done.spooled} entries of the spool.\n"
    ]
    if not done.rewritten:
        lines.append(
            "Redis did not rewrite its append-only file: ask its operator for BGREWRITEAOF.\n"
        )
    if models:
        lines.append(
            f"Trained on what was deleted: {', '.join(models)}. "
            "Train a new model and delete these folders to remove it there, too.\n"
        )
    return "".join([*lines, _NOT_COVERED])
