"""`agent monitor`: watches news, or the agent's own users, and says when something surges."""

import asyncio
import json
import re
import signal
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import ModelOption, ProjectOption
from agent.errors import InputError

if TYPE_CHECKING:
    from agent.monitor.monitor import Monitor
    from agent.monitor.sources import Source
    from agent.settings import MonitorSettings
    from agent.storage.store import Store

NEWSROOM = "newsroom"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    file: str | None
    stream: str | None
    stream_url: str | None
    turns: bool
    name: str
    own_window: bool
    count: str | None
    once: bool
    live: bool
    fresh: bool
    report: bool
    show_items: bool
    out: Path | None
    model: Path | None
    as_json: bool


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("monitor")(monitor)


def monitor(
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="JSON lines; - or nothing: standard input."),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option("--stream", metavar="KEY", help="Read this Redis stream instead."),
    ] = None,
    stream_url: Annotated[
        str | None,
        typer.Option("--stream-url", metavar="URL", help="Its Redis. Default: the store's."),
    ] = None,
    turns: Annotated[
        bool, typer.Option("--turns", help="Watch the agent's own turn log: moods by intent.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Keeps several monitors apart. Default: news, or turns."),
    ] = None,
    window: Annotated[
        int | None, typer.Option("--window", metavar="HOURS", min=1, help="Hours of a window.")
    ] = None,
    count: Annotated[
        str | None,
        typer.Option("--count", help="What surges: negative, neutral, positive or all items."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when a stream or log has nothing more.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for lines that are added to FILE.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="Show a table that moves.")] = False,
    items: Annotated[bool, typer.Option("--items", help="Show every item.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Show what was counted, and read nothing.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget what this monitor counted before.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Append each item to this file, once."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Send alarms there, signed.")
    ] = None,
    project: ProjectOption = None,
    model: ModelOption = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="JSON lines: items, alarms, at the end the report."),
    ] = False,
) -> None:
    """Watch a stream of short texts: topic, sentiment, entities, alarms when they surge.

    Lines are {"text", "date"?, "source"?, "id"?}. A run goes on where the last one stopped.

    Example: agent monitor news.jsonl --window 24

    Example: tail -f news.jsonl | agent monitor --live

    Example: agent monitor --turns --once --json
    """
    if [file is not None, stream is not None, turns].count(True) > 1:
        raise InputError("give one of FILE, --stream and --turns")
    from agent.cli.logs import log_to_stderr
    from agent.settings import load_settings
    from knowledge.project_folder import find_project

    root = find_project(project) if turns else find_project(project, bundled=NEWSROOM)
    settings = load_settings(root)
    changes: dict[str, Any] = {} if window is None else {"window_hours": window}
    if webhook is not None:
        changes["webhook"] = webhook
    rules = settings.monitor.model_copy(update=changes)
    if rules.webhook and not re.match(r"https?://[^/\s]", rules.webhook):
        raise InputError(f"{rules.webhook!r} is no URL to send alarms to: write https://HOST/PATH")
    log_to_stderr(settings.logging.level if not live else "error")
    wanted = Wanted(
        file=file,
        stream=stream,
        stream_url=stream_url,
        turns=turns,
        name=name or ("turns" if turns else "news"),
        own_window=window is None and not fresh,
        count=count,
        once=once or not (follow or stream or turns),
        live=live,
        fresh=fresh,
        report=report,
        show_items=items,
        out=out,
        model=model,
        as_json=as_json,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(_monitor(root, wanted, rules))
    except KeyboardInterrupt:
        sys.stderr.write("\n")


async def _monitor(root: Path, wanted: Wanted, rules: "MonitorSettings") -> None:
    from agent.cli.chat import ensure_model
    from agent.cli.monitor_view import Shown
    from agent.cli.opened import open_store
    from agent.monitor.assemble import open_monitor

    if wanted.model is None:
        ensure_model(root)
    async with open_store(root) as store:
        if wanted.own_window:
            rules = await _as_before(store, rules, wanted)
        watching = await open_monitor(
            root,
            store,
            rules,
            name=wanted.name,
            model=wanted.model,
            count=_counted(wanted),
            fresh=wanted.fresh,
        )
        await watching.resume()
        shown = Shown(watching, as_json=wanted.as_json, live=wanted.live, items=wanted.show_items)
        if not wanted.report:
            await _follow(watching, await _source(wanted, store), shown, wanted, rules)
        await shown.report()


async def _as_before(store: "Store", rules: "MonitorSettings", wanted: Wanted) -> "MonitorSettings":
    """The rules with windows as long as this monitor has counted in so far."""
    from agent.monitor.assemble import window_hours

    known = await window_hours(store, rules, wanted.name)
    if known in (None, rules.window_hours):
        return rules
    _say(f"monitor {wanted.name} goes on in windows of {known} h")
    return rules.model_copy(update={"window_hours": known})


async def _follow(
    watching: "Monitor",
    source: "Source",
    shown: Any,
    wanted: Wanted,
    rules: "MonitorSettings",
) -> None:
    """Read to the end, or until Ctrl-C, telling of each step once it is kept."""
    from agent.monitor.export import ItemFile
    from agent.monitor.patience import patiently
    from agent.monitor.webhook import Webhook, let_pass

    out = ItemFile(wanted.out, watching.log) if wanted.out is not None else None
    hook = Webhook(rules.webhook, rules.webhook_secret, watching.log) if rules.webhook else None
    if hook is not None and not hook.secret:
        _say("alarms are sent unsigned: set monitor.webhook_secret to sign them")
    with shown:
        async for step in watching.run(source):
            await shown.step(step)
            if out is not None:
                await patiently(out.catch_up)
            if hook is not None:
                await patiently(hook.deliver)
            elif step.alarms:
                await patiently(partial(let_pass, watching.log))


async def _source(wanted: Wanted, store: "Store") -> "Source":
    from agent.monitor.sources import FileSource, PipeSource, StreamSource, TurnSource
    from agent.storage.connection import Connection
    from agent.storage.stream_group import StreamGroup

    if wanted.turns:
        return TurnSource(store, once=wanted.once)
    if wanted.stream is not None:
        connection = store.connection
        if wanted.stream_url is not None:
            connection = await Connection.open(wanted.stream_url, None)
        group = StreamGroup(connection, wanted.stream, f"monitor-{wanted.name}", "reader")
        return StreamSource(group, wanted.stream, once=wanted.once)
    if wanted.file in (None, "-"):
        return PipeSource(sys.stdin.buffer)
    path = Path(str(wanted.file))
    if not path.is_file():
        raise InputError("no such file", path=path)
    return FileSource(path, follow=not wanted.once)


def _counted(wanted: Wanted) -> str | None:
    """The sentiment that is counted: as asked, else negative where the model can tell."""
    if wanted.count not in (None, "negative", "neutral", "positive", "all"):
        raise InputError(
            f"unknown --count {wanted.count!r}: use negative, neutral, positive or all"
        )
    return wanted.count


def _say(line: str) -> None:
    sys.stderr.write(f"agent: {line}\n")


def print_json(value: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
