"""`agent chat`: talk to the assistant in a terminal, or through a pipe."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.logs import log_to_file, log_to_stderr
from agent.cli.options import ProjectOption
from agent.errors import AgentError, InputError

if TYPE_CHECKING:
    from agent.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command and its Rasa name `shell`."""
    app.command("chat")(chat)
    app.command("shell", hidden=True)(chat)


def chat(
    project: ProjectOption = None,
    conversation: Annotated[
        str | None,
        typer.Option("--conversation", metavar="ID", help="Continue (or start) this one."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one Turn a line as JSON, nothing else.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Explain every turn as /why does.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Talk to this server instead of a project."),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(
            "--script", metavar="FILE", help="Say its lines; `= TEXT` must stand in the answer."
        ),
    ] = None,
) -> None:
    """Talk to the assistant; trains a model first if there is none.

    In a pipe each line is a message and replies are printed one a line:
    echo "what is my balance?" | agent chat
    With --script the code is 1 if an answer lacks what a line `= TEXT` expects of it.

    Example: agent chat --url http://localhost:5005
    """
    from agent.settings import load_settings
    from knowledge.project_folder import find_project

    if url is not None:
        if project or conversation or debug:
            raise InputError(
                "--url goes alone, or with --json or --script: the server has its own project"
            )
        _run(_talk_to(url, load_settings(None), script=script, as_json=as_json))
        return
    root = find_project(project)
    settings = load_settings(root)
    ensure_model(root)
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not (as_json or script)
    if interactive:
        log_to_file(settings.logging.level, root / ".agent" / "chat.log")
    else:
        log_to_stderr(settings.logging.level)
    _run(_talk(root, settings, conversation, script=script, as_json=as_json, debug=debug))


def _run(talk: Coroutine[None, None, None]) -> None:
    # A service manager's stop ends a conversation as Ctrl-C does: what was said is stored.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(talk)
    except KeyboardInterrupt:
        sys.stderr.write("\n")


def ensure_model(root: Path) -> None:
    """Train a model in a child process if the project has none in production.

    Raises:
        AgentError: the training failed; its own message stands above on standard error.
    """
    from agent.registry import Registry

    if Registry(root).production_id() is not None:
        return
    sys.stderr.write("There is no model yet: training one first.\n")
    command = [sys.executable, "-m", "agent", "train", "--project", str(root)]
    # The child's standard output must not mix with replies: only errors and progress are shown.
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise AgentError(f"the training failed (exit code {done.returncode}); see above")


async def _talk(
    root: Path,
    settings: "Settings",
    conversation: str | None,
    *,
    script: Path | None,
    as_json: bool,
    debug: bool,
) -> None:
    # Loaded only now, so that `agent --help` and a training child stay light.
    from agent.assemble import open_assistant
    from agent.cli.script import ScriptTerminal
    from agent.cli.session import COMMANDS, Session
    from agent.cli.terminal import open_terminal
    from agent.reminders import Reminders

    async with open_assistant(root, settings) as assistant:
        terminal = (
            ScriptTerminal(settings.chat, script)
            if script
            else open_terminal(settings.chat, [*COMMANDS], assistant.intents, as_json=as_json)
        )
        session = Session(assistant, terminal, conversation, debug=debug)
        await session.begin()
        clock = Reminders(assistant.manager, assistant.store)
        ticking = asyncio.create_task(clock.run(session.take, only=session.conversation_id))
        async for line in terminal.lines():
            if not await session.respond(line):
                break
        ticking.cancel()
        await session.end()
        if isinstance(terminal, ScriptTerminal):
            terminal.finish()


async def _talk_to(url: str, settings: "Settings", *, script: Path | None, as_json: bool) -> None:
    from agent.cli.remote import COMMANDS, RemoteSession, open_client
    from agent.cli.script import ScriptTerminal
    from agent.cli.terminal import open_terminal

    async with open_client(url) as client:
        terminal = (
            ScriptTerminal(settings.chat, script)
            if script
            else open_terminal(settings.chat, [*COMMANDS], as_json=as_json)
        )
        session = RemoteSession(url, terminal, client)
        await session.begin()
        async for line in terminal.lines():
            if not await session.respond(line):
                break
        await session.end()
        if isinstance(terminal, ScriptTerminal):
            terminal.finish()
