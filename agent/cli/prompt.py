"""`agent prompt`: lists the templates of what the agent says, and tries one."""

import json
import sys
from typing import Annotated, Any

import typer

from agent.cli.options import JsonOption, ProjectOption
from agent.errors import InputError
from agent.prompts.templates import load_templates
from knowledge.project_folder import find_project


def register(app: typer.Typer) -> None:
    """Add the command group."""
    prompt = typer.Typer(
        help="The templates of what the agent says: list them, try one.", no_args_is_help=True
    )
    prompt.command("list")(list_prompts)
    prompt.command("render")(render)
    app.add_typer(prompt, name="prompt")


def list_prompts(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List the templates with their variables and versions.

    Example: agent prompt list
    """
    templates = load_templates(find_project(project))
    rows = [
        {
            "name": one.name,
            "version": one.version,
            "path": str(one.path),
            "description": one.description,
            "variables": dict(one.variables),
        }
        for one in (templates[name] for name in templates.names)
    ]
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    for row in rows:
        variables = ", ".join(row["variables"]) or "no variables"
        sys.stdout.write(f"{row['name']} ({variables}): {row['description']}\n  {row['path']}\n")


def render(
    name: Annotated[str, typer.Argument(help="The template's name, such as `unknown`.")],
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="K=V", help="A variable; V is JSON or else plain text."),
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a template filled in with the variables that are given.

    Example: agent prompt render unknown --var question=hi --var 'suggestions=["Pay", "Block"]'
    """
    values = dict(_variable(text) for text in var or ())
    prompt = load_templates(find_project(project)).render(name, **values)
    if as_json:
        facts = {"name": prompt.name, "version": prompt.version, "text": prompt.text}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(prompt.text + "\n")


def _variable(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise InputError(f"--var takes name=value, got {text!r}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value
