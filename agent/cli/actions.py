"""`agent actions`: the project's own actions as a rasa-sdk action server."""

import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import ProjectOption
from agent.cli.serve import run_server
from agent.errors import AgentError, InputError
from knowledge.project_folder import find_project

_SERVER = Path(__file__).parents[1] / "actions" / "server.py"
_MODULE = "actions"
_STOP_TIMEOUT_S = 10.0


def register(app: typer.Typer) -> None:
    """Add the command, and its name in Rasa's words, `run actions`."""
    app.command("actions")(actions)
    run = typer.Typer(help="Rasa's names: `run` is `serve`, `run actions` is `actions`.")
    run.command("actions")(actions)
    run.callback(invoke_without_command=True)(run_server)
    app.add_typer(run, name="run")


def actions(
    project: ProjectOption = None,
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65_535)] = 5055,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 lets others in.")
    ] = "127.0.0.1",
) -> None:
    """Serve the project's actions/ to an agent, as `rasa run actions` does; Ctrl-C ends it.

    Example: agent actions --project my-assistant --port 5055
    """
    root = find_project(project)
    if not (root / _MODULE).is_dir() and not (root / f"{_MODULE}.py").is_file():
        raise InputError(f"there is no {_MODULE}/ folder and no {_MODULE}.py", path=root)
    _check_free(host, port)
    code = _serve(root, host, port)
    if code:
        raise AgentError(f"the action server ended with exit code {code}; its log is above")


def _check_free(host: str, port: int) -> None:
    """Refuse a port that cannot be listened on, in one line rather than the server's many."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); "
            "choose another with --port or --host"
        ) from error


def _serve(root: Path, host: str, port: int) -> int:
    """Run the server process until it ends or Ctrl-C; its exit code, 0 after Ctrl-C."""
    command = [sys.executable, "-P", str(_SERVER), host, str(port), _MODULE]
    server = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return server.wait()
    except KeyboardInterrupt:
        return _stop(server)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _stop(server: "subprocess.Popen[bytes]") -> int:
    """End the server: in a terminal it heard Ctrl-C itself; it is asked again in any case."""
    if server.stdin is not None:
        server.stdin.close()
    with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
        server.wait(_STOP_TIMEOUT_S)
    if server.poll() is None:
        server.kill()
        server.wait()
    return 0


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
