"""Runs the application in this process until it is told to stop."""

import asyncio
import gc
import logging
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from agent.assemble import open_assistant
from agent.documents import keep_indexed
from agent.errors import AgentError
from agent.reminders import Reminders
from agent.settings import Settings
from agent.turn import Turn
from agent.web.app import create_app
from agent.web.outlets import Outlets
from agent.web.replies import outlet_messages
from agent.web.security.access import check_protected
from agent.web.services import Services, make_services
from agent.web.slow_clients import PatientProtocol

BACKLOG = 1_024
CONNECTIONS = 4_000
KEEP_ALIVE_S = 30
MAX_FRAME_BYTES = 200_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a certificate."""

    certificate: Path
    key: Path
    password: str | None = None
    authorities: Path | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """What the server listens on; `loopback`: nobody else reaches it."""

    socket: socket.socket
    loopback: bool = True
    tls: Tls | None = None


async def serve(root: Path, settings: Settings, listening: Listening) -> None:
    """Open the assistant and serve it; returns after a graceful stop.

    Raises:
        AgentError: the assistant cannot be opened, or nothing protects it from others.
    """
    async with open_services(root, settings, loopback=listening.loopback) as services:
        # What is loaded by now stays: the garbage collector need not look at it again.
        gc.collect()
        gc.freeze()
        server = Server(_config(services, listening), services.stopping)
        await server.serve(sockets=[listening.socket])


class Server(uvicorn.Server):
    """Uvicorn's server, which gives up the process's signals when it has stopped.

    Its own would end the process at once then, before the assistant is closed.

    Args:
        config: uvicorn's.
        stopping: set when the process is told to stop.
    """

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and end the streams that have no end of their own."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in order on SIGTERM and SIGINT; at once on the second SIGINT."""
        loop, signals = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def _config(services: Services, listening: Listening) -> uvicorn.Config:
    tls = listening.tls
    config = uvicorn.Config(
        create_app(services),
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on" if services.settings.tracing else "off",  # it opens the exporters
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=services.settings.stop_s,
        ws_max_size=MAX_FRAME_BYTES,
        limit_concurrency=CONNECTIONS,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        ssl_keyfile_password=tls.password if tls else None,
        ssl_ca_certs=str(tls.authorities) if tls and tls.authorities else None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if tls and tls.authorities else ssl.CERT_NONE,
    )
    return config


@asynccontextmanager
async def open_services(
    root: Path, settings: Settings, *, loopback: bool = True
) -> AsyncIterator[Services]:
    """The services of an assistant's folder, with the tasks that keep its store in order.

    Raises:
        AgentError: the assistant cannot be opened, or nothing protects it from others.
    """
    async with open_assistant(root, settings) as assistant:
        services = make_services(assistant, loopback=loopback)
        users = 0 if loopback else len(await services.accounts.all())
        check_protected(settings.server, loopback=loopback, users=users)
        tasks = [asyncio.create_task(assistant.store.keep_draining())]
        tasks.append(asyncio.create_task(keep_current(services)))
        tasks.append(asyncio.create_task(keep_indexed(root, settings.knowledge)))
        tasks.append(asyncio.create_task(index_items(services)))
        tasks.append(asyncio.create_task(assistant.generation.warm()))
        clock = Reminders(assistant.manager, assistant.store)
        tasks.append(asyncio.create_task(clock.run(partial(deliver, services.outlets))))
        try:
            yield services
        finally:
            await _close(services, tasks)


async def deliver(outlets: Outlets, turn: Turn) -> None:
    """Bring what a reminder led to to its user, where the channel can be written to.

    Our own API's users see it in their conversation's events.
    """
    message = turn.message
    await outlets.send(message.channel, message.conversation_id, outlet_messages(turn.replies))


async def index_items(services: Services) -> None:
    """Bring the index of the items to suggest in step with their file, where there is one."""
    recommendations = services.assistant.recommendations
    if recommendations is not None and recommendations.available:
        try:
            await recommendations.sync()
        except AgentError as error:
            _log.error("the items are not indexed: %s", error)


async def keep_current(services: Services, period_s: float = 1.0) -> None:
    """Take a newly promoted model before the next message has to wait for it."""
    brains = services.assistant.brains
    while True:
        await asyncio.sleep(period_s)
        if brains.registry.production_id() != brains.version and not brains.unloaded:
            try:
                await brains.current()
            except Exception as error:
                _log.error("the promoted model was not taken: %s", error)


async def _close(services: Services, tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for close in services.closing:
        await close()
