"""`agent models`: the versions of a project's model."""

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli.opened import open_store
from agent.cli.options import JsonOption, ProjectOption
from agent.errors import ModelError, StoreError
from agent.registry import ModelVersion, Registry
from knowledge.project_folder import find_project

_log = logging.getLogger(__name__)
_MARKS = {"production": "[green]●[/]", "broken": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="The model's versions: list, show, promote, roll back.", no_args_is_help=True
    )
    group.command("list")(list_models)
    group.command("show")(show)
    group.command("promote")(promote)
    group.command("rollback")(rollback)
    app.add_typer(group, name="models")


def list_models(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List the versions, newest first.

    Example: agent models list
    """
    versions = Registry(find_project(project)).versions()
    if as_json:
        _print_json([_summary(version) for version in versions])
    elif versions:
        Console().print(_table(versions))
    else:
        sys.stdout.write("No model yet: run `agent train`.\n")


def show(
    version: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Default: the one in production.", show_default=False),
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a version: its making, its report, its files.

    Example: agent models show
    """
    registry = Registry(find_project(project))
    found = registry.version(version) if version else registry.production()
    if found is None:
        raise ModelError("there is no model in production: run `agent train`")
    if as_json:
        history = [
            {"at": p.at.isoformat(), "action": p.action, "by": p.by, "reason": p.reason}
            for p in registry.history()
            if p.id == found.id
        ]
        _print_json({**_summary(found), "history": history, "manifest": dict(found.manifest)})
        return
    console = Console()
    console.print(f"{_MARKS.get(found.state, '○')} [bold]{found.id}[/] {found.state}")
    if found.problem:
        console.print(Text(found.problem, style="red"))
    for name, value in _flat({k: v for k, v in found.manifest.items() if k != "files"}):
        console.print(Text.assemble((f"  {name}: ", "dim"), value))
    console.print(Text(f"  files: {', '.join(found.manifest.get('files', {}))}", style="dim"))


def promote(
    version: Annotated[str, typer.Argument(metavar="ID", help="The version, or a part of its id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a version serve from the next turn on, once its files are found to be whole.

    Example: agent models promote 20261123T101500Z-1a2b3c4d
    """
    root = find_project(project)
    done = Registry(root).promote(version, by="agent models", reason=reason)
    _announce(root, done, "promoted")
    _print_done(done, as_json)


def rollback(
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the version serve again that served before the present one.

    Example: agent models rollback
    """
    root = find_project(project)
    done = Registry(root).rollback(by="agent models", reason=reason)
    _announce(root, done, "rolled back")
    _print_done(done, as_json)


def _announce(root: Path, version: ModelVersion, action: str) -> None:
    """Tell the other processes; they find the pointer by themselves if Redis is away."""

    async def tell() -> None:
        async with open_store(root) as store:
            await store.announce({"model": version.id, "action": action})

    try:
        asyncio.run(tell())
    except StoreError as error:
        _log.warning("not announced: %s", error)


def _summary(version: ModelVersion) -> dict[str, Any]:
    return {
        "id": version.id,
        "state": version.state,
        "created_at": version.created_at.isoformat() if version.created_at else None,
        "parent": version.parent,
        "path": str(version.path),
        "report": dict(version.report),
        "problem": version.problem,
    }


def _print_done(version: ModelVersion, as_json: bool) -> None:
    if as_json:
        _print_json({"id": version.id, "state": version.state})
    else:
        sys.stdout.write(f"{version.id} is in production.\n")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def _table(versions: list[ModelVersion]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("", "id", "state", "intent accuracy", "entity F1", "parent"):
        table.add_column(title, no_wrap=title in ("", "id"))
    for version in versions:
        table.add_row(
            _MARKS.get(version.state, "○"),
            version.id,
            version.state,
            _figure(version.report, "intent", "accuracy"),
            _figure(version.report, "entity", "f1"),
            Text(version.parent or version.problem or ""),
        )
    return table


def _figure(report: Mapping[str, Any], part: str, name: str) -> str:
    inner = report.get(part)
    value = inner.get(name) if isinstance(inner, Mapping) else None
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _flat(value: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested mappings as dotted names with one-line values."""
    rows: list[tuple[str, str]] = []
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            rows += _flat(inner, f"{before}{name}.")
        elif isinstance(inner, list):
            shown = ", ".join(str(one) for one in inner[:8])
            more = f", … ({len(inner)})" if len(inner) > 8 else ""
            rows.append((before + name, shown + more))
        elif inner is not None:
            rows.append((before + name, str(inner)))
    return rows
