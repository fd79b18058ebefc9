"""`agent visualize`: a picture of the stories and rules, as Rasa's command of that name."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import ProjectOption
from agent.errors import InputError

if TYPE_CHECKING:
    from agent.project.types import Rule, Story


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("visualize")(visualize)


def visualize(
    project: ProjectOption = None,
    stories: Annotated[
        Path | None,
        typer.Option(
            "--stories",
            "-s",
            metavar="PATH",
            help="A file or folder of stories instead of the project's.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Ends in .html or .svg.")
    ] = Path("graph.html"),
) -> None:
    """Draw the stories and rules as a graph: what is said, and what the assistant does then.

    Example: agent visualize --out stories.svg
    """
    from agent.dialogue.story_graph import story_tree
    from agent.dialogue.story_picture import html_page, svg_picture
    from agent.project import load_project, load_stories
    from knowledge.project_folder import find_project

    if out.suffix not in (".html", ".svg"):
        raise InputError("the picture's name must end in .html or .svg", path=out)
    root = find_project(project)
    loaded = load_project(root)
    if stories is None:
        drawn: dict[str, Sequence[Story | Rule]] = {
            "Stories": loaded.stories,
            "Rules": loaded.rules,
        }
    else:
        drawn = {"Stories": load_stories(stories)[0]}
    trees = {title: story_tree(told) for title, told in drawn.items() if told}
    if not trees:
        raise InputError("there is no story and no rule to draw", path=stories or root)
    picture = svg_picture(trees)
    text = picture if out.suffix == ".svg" else html_page(root.name, picture)
    out.write_text(text, encoding="utf-8")
    sys.stderr.write(f"{sum(map(len, drawn.values()))} stories and rules in {out}\n")
