"""A rasa-sdk server that goes away, comes back, and shows a certificate: over HTTP and gRPC."""

import asyncio
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.actions.grpc_client import GrpcActions
from agent.actions.remote import RemoteActions
from agent.actions.types import CustomActions
from agent.errors import ActionError, InputError
from agent.project.types import Endpoint
from tests.contracts.action_project import RunningServer, start_server, write_project

STATE: dict[str, Any] = {"sender_id": "ann", "slots": {}, "latest_message": {}, "events": []}
PROTOCOLS = {"http": ((), RemoteActions), "grpc": (("--grpc",), GrpcActions)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("assistant"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def started(project: Path, protocol: str, *more: str, port: int | None = None) -> RunningServer:
    return start_server(project, dict(os.environ), *PROTOCOLS[protocol][0], *more, port=port)


def client(protocol: str, url: str, **more: Any) -> CustomActions:
    custom: CustomActions = PROTOCOLS[protocol][1](Endpoint(url, **more), 5.0)
    return custom


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_killed_in_mid_call_costs_that_call_and_no_later_one(
    project: Path, protocol: str
) -> None:
    server = started(project, protocol)
    custom = client(protocol, server.url)
    hanging = asyncio.ensure_future(custom.call("action_hang", STATE, {}))
    await asyncio.sleep(0.5)
    server.kill()
    with pytest.raises(ActionError, match=r"'action_hang'.*broke off"):
        await hanging
    with pytest.raises(ActionError, match=r"'action_nothing'.*cannot be reached"):
        await custom.call("action_nothing", STATE, {})
    with started(project, protocol, port=server.port):
        assert not (await custom.call("action_nothing", STATE, {})).events
    await custom.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_slow_action_is_given_up_in_time(project: Path, protocol: str) -> None:
    server = started(project, protocol)
    custom: CustomActions = PROTOCOLS[protocol][1](Endpoint(server.url), 0.5)
    with pytest.raises(ActionError, match=r"no answer within 0\.5 s"):
        await custom.call("action_hang", STATE, {})
    await custom.close()
    server.kill()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_is_trusted_by_the_certificate_that_the_endpoint_names(
    project: Path, protocol: str, certificate: tuple[Path, Path]
) -> None:
    cert, key = map(str, certificate)
    tls = ("--ssl-certificate", cert, "--ssl-keyfile", key)
    with ExitStack() as stack:
        server = stack.enter_context(started(project, protocol, *tls))
        url = server.url.replace("http:", "https:").replace("grpc:", "grpcs:")
        trusting, doubting = client(protocol, url, cafile=cert), client(protocol, url)
        assert (await trusting.call("action_greet", STATE, {})).responses
        with pytest.raises(ActionError, match=r"cannot be reached"):
            await doubting.call("action_greet", STATE, {})
        await trusting.close()
        await doubting.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_is_named(
    tmp_path: Path, protocol: str, text: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
        if protocol == "grpc":  # its library tells only when it connects
            return
    with pytest.raises(InputError, match=r"ca\.pem"):
        client(protocol, f"{protocol}s://127.0.0.1:1", cafile=str(path))
