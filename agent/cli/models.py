"""`agent models`: the versions of a project's model."""

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli.model_picture import accuracies, picture
from agent.cli.opened import open_store
from agent.cli.options import JsonOption, ProjectOption
from agent.cli.tables import table_console
from agent.errors import ModelError, StoreError
from agent.registry import ModelVersion, Registry
from agent.storage.counters import COMPARED, compare
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
    group.command("trial")(trial)
    app.add_typer(group, name="models")


def list_models(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List the versions, newest first.

    Example: agent models list
    """
    versions = Registry(find_project(project)).versions()
    if as_json:
        _print_json([_summary(version) for version in versions])
    elif versions:
        table_console().print(_table(versions))
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
    """Show a version: its making, its report, its files, and accuracy over the versions.

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
        document = {"history": history, "manifest": dict(found.manifest)}
        _print_json(
            {**_summary(found), **document, "accuracy_by_version": accuracies(registry.versions())}
        )
        return
    console = Console()
    console.print(f"{_MARKS.get(found.state, '○')} [bold]{found.id}[/] {found.state}")
    if found.problem:
        console.print(Text(found.problem, style="red"))
    for name, value in _flat({k: v for k, v in found.manifest.items() if k != "files"}):
        console.print(Text.assemble((f"  {name}: ", "dim"), value))
    console.print(Text(f"  files: {', '.join(found.manifest.get('files', {}))}", style="dim"))
    console.print(picture(registry.versions()), end="")


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


def trial(
    version: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="What to try; default: show.", show_default=False),
    ] = None,
    canary: Annotated[
        float | None,
        typer.Option("--canary", min=0.0, max=1.0, help="Share of conversations that it answers."),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End the trial.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a version beside the serving one: in its shadow, or as the answer to some.

    In the shadow it predicts and answers nothing; where the two disagree is counted and logged
    with the turn. With --canary it answers the conversations that a hash of their ids picks.

    Example: agent models trial 20261123T101500Z-1a2b3c4d --canary 0.1
    """
    root = find_project(project)
    registry = Registry(root)
    if end:
        registry.end_trial()
    elif version is not None:
        mode: Literal["shadow", "canary"] = "shadow" if canary is None else "canary"
        registry.start_trial(version, mode, share=canary or 0.0)
    found, today = registry.trial(), _today(root)
    if as_json:
        wanted = ("turns", *COMPARED)
        counts = {
            k: v for k, v in today.items() if k in wanted or k.startswith(("shadow_", "canary"))
        }
        _print_json({"trial": asdict(found) if found else None, "today": counts})
    elif found is None:
        sys.stdout.write("Nothing is on trial.\n")
    elif found.mode == "shadow":
        sys.stdout.write(f"{found.model} is on trial in the shadow since {found.since[:16]}.\n")
        heard, otherwise = today.get("shadow_turns", 0), today.get("shadow_disagreed", 0)
        sys.stdout.write(f"  today {heard} turns, {otherwise} understood otherwise\n")
    else:
        answers = f"answers {found.share:.0%} of the conversations"
        sys.stdout.write(f"{found.model} {answers} since {found.since[:16]}.\n")
        table_console().print(_compared(compare(today, found.model)))


def _compared(parts: Mapping[str, Mapping[str, int]]) -> Table:
    """Both models' turns of today side by side, the serving model's below."""
    table = Table("today", box=None)
    names = ("turns", *COMPARED)
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for title, counts in parts.items():
        turns = counts["turns"] or 1
        shares = (f"{counts[name]} ({counts[name] / turns:.0%})" for name in COMPARED)
        table.add_row({"canary": "on trial"}.get(title, title), str(counts["turns"]), *shares)
    return table


def _today(root: Path) -> dict[str, int]:
    """The day's counters; nothing while the store is away."""

    async def read() -> dict[str, int]:
        async with open_store(root) as store:
            return await store.counters()

    try:
        return asyncio.run(read())
    except StoreError:
        return {}


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
