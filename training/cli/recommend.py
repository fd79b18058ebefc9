"""The command `agent learn-recommender`."""

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
    from agent.settings import load_settings
    from training.recommender import learn_from_behaviour

    root = find_project(project)
    done = learn_from_behaviour(root, load_settings(root))
    if as_json:
        sys.stdout.write(json.dumps(done.as_json()) + "\n")
    else:
        sys.stdout.write(f"{done.decision}: {done.reason}\n")
