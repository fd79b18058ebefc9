"""`agent story`: a conversation as a test story, or as a story to train from."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import ProjectOption
from agent.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("story")(story)


def story(
    conversation: Annotated[
        str, typer.Argument(metavar="CONVERSATION", help="The conversation's id.")
    ],
    project: ProjectOption = None,
    to_train: Annotated[
        bool, typer.Option("--train", help="A story to train from instead of a test story.")
    ] = False,
    all_sessions: Annotated[
        bool, typer.Option("--all-sessions", help="Also the sessions before the latest.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Add it to this file, in the place of one of the same name; default: print it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a conversation of the log as a story: a test story with its messages, or to train from.

    Example: agent story 5e0c… --out tests/test_conversations.yml
    """
    from agent.cli.opened import open_store
    from agent.dialogue.story_writer import add_to_file, stories_of, story_yaml
    from agent.dialogue.tracker import Tracker
    from agent.project import load_project
    from knowledge.project_folder import find_project

    root = find_project(project)
    domain = load_project(root).domain

    async def read() -> Tracker:
        async with open_store(root) as store:
            events = await store.load_events(conversation)
        return Tracker.from_events(conversation, domain, events)

    tracker = asyncio.run(read())
    stories = stories_of(conversation, tracker, all_sessions, to_train)
    if not stories:
        raise InputError(f"no conversation {conversation!r} is stored, or nothing was said in it")
    if out is None:
        text = story_yaml(conversation, tracker, all_sessions=all_sessions, to_train=to_train)
        sys.stdout.write(text)
    else:
        add_to_file(out, stories)
        sys.stderr.write(f"{len(stories)} added to {out}\n")
