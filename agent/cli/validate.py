"""`agent validate`: what is wrong with a project."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from agent.cli.elsewhere import register_data
from agent.cli.options import (
    FURTHER_WORDS,
    ConfigOption,
    DataOption,
    DomainOption,
    JsonOption,
    ProjectOption,
    check_rasas_paths,
    further_data,
)
from agent.errors import InputError
from agent.project import Notice, Place, read_project, validate
from knowledge.project_folder import find_project

_MARKS = {"error": "[red]✗[/]", "warning": "[yellow]![/]", "info": "[blue]·[/]"}


def register(app: typer.Typer) -> None:
    """Add the command, and Rasa's own words for it."""
    app.command("validate", context_settings=FURTHER_WORDS)(validate_command)
    data = typer.Typer(help="Rasa's words: `agent data validate`.", hidden=True)
    data.callback()(_data)
    data.command("validate", context_settings=FURTHER_WORDS)(validate_command)
    register_data(data)
    app.add_typer(data, name="data")


def _data() -> None:
    """Rasa's words: `agent data validate`."""


def validate_command(
    context: typer.Context,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    domain: DomainOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Check a project: unused intents, missing responses, contradictions, bad markup.

    Settings, prompts and tables of facts are checked as well.

    Exit code 1 with errors, 0 with warnings only. Example: agent validate --project bank
    """
    check_rasas_paths(project, domain, further_data(context.args, data), config)
    root = find_project(project)
    notices = [*_wrong_parts(root), *validate(read_project(root))]
    if as_json:
        sys.stdout.write(_as_json(notices) + "\n")
    else:
        _show(notices)
    if any(notice.level == "error" for notice in notices):
        raise typer.Exit(1)


def _wrong_parts(root: Path) -> Iterator[Notice]:
    """What is wrong with settings (of the environment, too), prompts and facts, if anything."""
    from agent.generation import check_generator
    from agent.prompts.templates import load_templates
    from agent.settings import load_settings

    for check in (
        lambda: check_generator(load_settings(root).generator),
        lambda: load_templates(root),
    ):
        try:
            check()
        except InputError as error:
            yield Notice(error.message, _place(error, root), error.key or "", "error")


def _place(error: InputError, root: Path) -> Place:
    path = Path(error.path or "")
    shown = path.relative_to(root) if path.is_relative_to(root) else error.path
    return Place(str(shown or ""), error.line or 0)


def _as_json(notices: list[Notice]) -> str:
    """`{"errors": […], "warnings": […]}`; what was migrated on reading is a warning, too."""
    lists: dict[str, list[dict[str, object]]] = {"errors": [], "warnings": []}
    for notice in notices:
        found: dict[str, object] = {
            "message": notice.message,
            "file": notice.place.path or None,
            "line": notice.place.line or None,
            "key": notice.key or None,
            "level": notice.level,
        }
        lists["errors" if notice.level == "error" else "warnings"].append(found)
    return json.dumps(lists, ensure_ascii=False)


def _show(notices: list[Notice]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for notice in notices:
        console.print(f"{_MARKS[notice.level]} {escape(line_of_notice(notice))}")
    errors = sum(notice.level == "error" for notice in notices)
    warnings = sum(notice.level == "warning" for notice in notices)
    verdict = "[red]cannot be used as it is[/]" if errors else "[green]can be used[/]"
    console.print(
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}: the project {verdict}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def line_of_notice(notice: Notice) -> str:
    """A notice as one line: `file:line: key: message`."""
    place = notice.place.path
    if place and notice.place.line:
        place += f":{notice.place.line}"
    return ": ".join(part for part in (place, notice.key, notice.message) if part)
