"""The commands of the agent room, one file a group."""

from importlib import import_module

import typer

GROUPS = (
    "chat",
    "serve",
    "users",
    "backup",
    "conversations",
    "parse",
    "validate",
    "init",
    "feedback",
    "models",
    "forget",
    "monitor",
    "recommend",
    "actions",
    "story",
    "visualize",
    "prompt",
    "doctor",
    "elsewhere",
)


def register_all(app: typer.Typer) -> None:
    """Add every command of this room to the command line."""
    for group in GROUPS:
        import_module(f"agent.cli.{group}").register(app)


__all__ = ["register_all"]
