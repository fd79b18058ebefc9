"""The command `agent learn-recommender`."""

import asyncio
import json
import sys

import typer

from agent.cli.options import JsonOption, ProjectOption
from knowledge.project_folder import find_project


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("learn-recommender")(learn_recommender)


def learn_recommender(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Learn from everybody's behaviour what to suggest; it serves only if it suggests better.

    Example: agent learn-recommender
    """
    from agent.cli.opened import open_store
    from agent.recommend.catalogue import sync_items
    from agent.recommend.events import Event
    from agent.settings import load_settings
    from agent.storage.behaviour import Behaviour
    from training.recommender import learn_recommender as learn

    root = find_project(project)
    sync_items(root, load_settings(root).knowledge.encoder)

    async def read() -> dict[str, list[Event]]:
        async with open_store(root) as store:
            behaviour = Behaviour(store.connection, store.keys)
            return {e[0].user: e async for e in behaviour.everyone() if e}

    done = learn(root, asyncio.run(read()))
    if as_json:
        sys.stdout.write(json.dumps(done.as_json()) + "\n")
    else:
        sys.stdout.write(f"{done.decision}: {done.reason}\n")
