"""`agent serve`: the HTTP server."""

import asyncio
import ipaddress
import json
import os
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import ProjectOption, check_own
from agent.cli.supervised import end_with_parent
from agent.errors import AgentError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.settings import Settings
    from agent.web.serve import Tls
    from agent.web.supervise import Child


_BACKLOG = 1_024


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    project: ProjectOption = None,
    host: Annotated[
        str | None, typer.Option("--host", "-i", help="Address to listen on; default: server.host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", "-p", min=0, max=65_535, help="Default: server.port; 0: any free."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes that serve.")
    ] = 1,
    learning: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Whether a child process learns.")
    ] = True,
    certificate: Annotated[
        Path | None, typer.Option("--ssl-certificate", metavar="FILE", help="Serve https.")
    ] = None,
    keyfile: Annotated[
        Path | None, typer.Option("--ssl-keyfile", metavar="FILE", help="The certificate's key.")
    ] = None,
    authorities: Annotated[
        Path | None, typer.Option("--ssl-ca-file", metavar="FILE", help="For clients' own.")
    ] = None,
    ssl_password: Annotated[
        str | None, typer.Option("--ssl-password", envvar="AGENT_SSL_PASSWORD", hidden=True)
    ] = None,
    inherited: Annotated[int | None, typer.Option("--descriptor", hidden=True)] = None,
) -> None:
    """Serve the assistant over HTTP: chat widget, review pages, API, Rasa's own surface.

    Example: agent serve --port 5005 --workers 2
    """
    from agent.cli.chat import ensure_model
    from agent.project import load_connections
    from agent.settings import load_settings
    from agent.storage.opening import check_folder
    from agent.web.logs import log_to_stderr
    from knowledge.project_folder import find_project

    root = find_project(project)
    settings = load_settings(root)
    log_to_stderr(settings.logging.level, settings.server.logs)
    tls = _tls(certificate, keyfile, authorities, ssl_password)
    address = host or settings.server.host
    if inherited is not None:
        end_with_parent()
        _serve_here(root, settings, socket.socket(fileno=inherited), address, tls)
        return
    _check_protected(root, settings, address)
    ensure_model(root)
    load_connections(root)  # a wrong one is an error before anything is announced
    check_folder(root, settings.store)
    bound = listen(address, settings.server.port if port is None else port)
    plan = Plan(root, settings, bound, address, tls, workers, learning)
    _announce(plan)
    if workers == 1 and not learning:
        _serve_here(root, settings, bound, address, tls)
    else:
        plan.run()


def run_server(
    context: typer.Context,
    project: ProjectOption = None,
    interface: Annotated[str | None, typer.Option("--interface", "-i")] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", min=0, max=65_535)] = None,
    auth_token: Annotated[str | None, typer.Option("--auth-token", "-t")] = None,
    jwt_secret: Annotated[str | None, typer.Option("--jwt-secret")] = None,
    jwt_method: Annotated[str | None, typer.Option("--jwt-method")] = None,
    certificate: Annotated[Path | None, typer.Option("--ssl-certificate")] = None,
    keyfile: Annotated[Path | None, typer.Option("--ssl-keyfile")] = None,
    authorities: Annotated[Path | None, typer.Option("--ssl-ca-file")] = None,
    enable_api: Annotated[bool, typer.Option("--enable-api", help="It always is.")] = False,
    cors: Annotated[
        list[str] | None, typer.Option("--cors", help="An origin that may call; * = all.")
    ] = None,
    credentials: Annotated[Path | None, typer.Option("--credentials")] = None,
    endpoints: Annotated[Path | None, typer.Option("--endpoints")] = None,
    model: Annotated[Path | None, typer.Option("--model", "-m")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False,
    debug: Annotated[bool, typer.Option("--debug", "-vv")] = False,
) -> None:
    """`agent serve` under Rasa's name and with its options; `run actions` is `agent actions`.

    Example: agent run --enable-api --auth-token secret --cors "*"
    """
    if context.invoked_subcommand is not None:
        return
    for option, file in (("credentials", credentials), ("endpoints", endpoints)):
        check_own(f"--{option}", file, (f"{option}.yml",), project)
    check_own("--model", model, ("models",), project)
    _set_server(AUTH_TOKEN=auth_token, JWT_SECRET=jwt_secret, JWT_METHOD=jwt_method)
    _set_server(CORS_ORIGINS=json.dumps(cors) if cors else None)
    if verbose or debug:
        os.environ["INTENT_AGENT_LOGGING__LEVEL"] = "debug" if debug else "info"
    serve(
        project,
        host=interface,
        port=port,
        certificate=certificate,
        keyfile=keyfile,
        authorities=authorities,
    )


def _set_server(**given: str | None) -> None:
    """Set settings of the section `server` for this process and its children."""
    for name, value in given.items():
        if value is not None:
            os.environ[f"INTENT_AGENT_SERVER__{name}"] = value


@dataclass(frozen=True, slots=True)
class Plan:
    """What `agent serve` was asked for."""

    root: Path
    settings: "Settings"
    bound: socket.socket
    address: str
    tls: "Tls | None"
    workers: int
    learning: bool

    def run(self) -> None:
        """Serve in this process (or in several of them) with the children beside."""
        from agent.web.supervise import Supervisor

        supervisor = Supervisor(self._children(), self.settings.server.stop_s + 5.0)
        if self.workers > 1:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: supervisor.stop())
            # The processes count together: whichever is asked for metrics tells for all.
            with TemporaryDirectory(prefix="intent-agent-metrics-") as counts:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
                if not supervisor.run():
                    raise AgentError("the server's processes do not start: their log is above")
            return
        beside = threading.Thread(target=supervisor.run, name="children")
        beside.start()
        try:
            _serve_here(self.root, self.settings, self.bound, self.address, self.tls)
        finally:
            supervisor.stop()
            beside.join()

    def _children(self) -> "list[Child]":
        from agent.web.supervise import Child

        project = ["--project", str(self.root)]
        children = []
        if self.workers > 1:
            descriptor = self.bound.fileno()
            command = ["serve", *project, "--host", self.address, "--descriptor", str(descriptor)]
            for option, file in self._files():
                command += [option, str(file)]
            children += [
                Child(f"server process {n + 1}", command, (descriptor,))
                for n in range(self.workers)
            ]
        if self.learning:
            children.append(Child("the learning worker", ["worker", *project], wanted=False))
        return children

    def _files(self) -> list[tuple[str, Path]]:
        if self.tls is None:
            return []
        files = [("--ssl-certificate", self.tls.certificate), ("--ssl-keyfile", self.tls.key)]
        if self.tls.authorities is not None:
            files.append(("--ssl-ca-file", self.tls.authorities))
        return files


def _check_protected(root: Path, settings: "Settings", address: str) -> None:
    """Refuse to serve others unprotected before anything is said or begun.

    Raises:
        AgentError: nothing protects the server, or its users cannot be read.
    """
    from agent.web.security.access import check_protected

    server, loopback = settings.server, is_loopback(address)
    by_settings = server.allow_open or server.auth_token or server.jwt_secret
    users = 0 if loopback or by_settings else asyncio.run(_count_users(root))
    check_protected(server, loopback=loopback, users=users)


async def _count_users(root: Path) -> int:
    from agent.cli.opened import open_store
    from agent.storage.accounts import Accounts

    async with open_store(root) as store:
        return len(await Accounts(store).all())


def _serve_here(
    root: Path, settings: "Settings", bound: socket.socket, address: str, tls: "Tls | None"
) -> None:
    # The web stack takes a third of a second, which a process that only supervises saves.
    from agent.web.serve import Listening, serve

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(root, settings, Listening(bound, is_loopback(address), tls)))


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """uvloop's event loop where there is one: it costs half of asyncio's."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _announce(plan: Plan) -> None:
    host, port = plan.bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if plan.tls else "http"
    typer.echo(f"Serving {plan.root.name} on {scheme}://{shown}:{port}", err=True)


def _tls(
    certificate: Path | None, key: Path | None, authorities: Path | None, password: str | None
) -> "Tls | None":
    """The certificate's files.

    Raises:
        InputError: one is missing.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InputError("--ssl-certificate and --ssl-keyfile belong together: give both")
    for file in (certificate, key, authorities):
        if file is not None and not file.is_file():
            raise InputError("there is no such file", path=file)
    from agent.web.serve import Tls

    return Tls(certificate, key, password, authorities)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens: a bound one alone would not show that another process has the port.

    Raises:
        InputError: the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(_BACKLOG)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); "
            "choose another with --port or --host"
        ) from error
    return bound


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
