import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.contracts.action_project import write_project

RUN = (
    "import typer; from agent.cli import actions; app = typer.Typer(); actions.register(app); app()"
)
REPORT = """
import sys, typer
from agent.cli import actions
from knowledge.errors import AgentError
app = typer.Typer()
actions.register(app)
try:
    app(standalone_mode=False)
except AgentError as error:
    sys.exit(f"{error.exit_code}: {error}")
"""


def start(root: Path, *arguments: str, script: str = RUN) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *arguments, "--project", str(root)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).raise_for_status()
            return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("assistant"))


@pytest.fixture
def port() -> Iterator[int]:
    number = free_port()
    yield number
    assert not is_listening(number), "the action server was left running"


@pytest.mark.parametrize("words", [["actions"], ["run", "actions"]])
def test_the_server_runs_until_it_is_interrupted(
    project: Path, port: int, words: list[str]
) -> None:
    server = start(project, *words, "--port", str(port))
    wait_for(port)
    names = httpx2.get(f"http://127.0.0.1:{port}/actions", trust_env=False).json()
    assert {"name": "action_shadow"} in names
    call = {"next_action": "action_shadow", "tracker": {"sender_id": "a"}, "domain": {"slots": {}}}
    reply = httpx2.post(f"http://127.0.0.1:{port}/webhook", json=call, trust_env=False).json()
    assert reply["events"][0]["value"] == ["the project", "the project", project.name]
    server.send_signal(signal.SIGINT)
    out, err = server.communicate(timeout=20)
    assert server.returncode == 0
    assert out == ""
    assert "action_shadow" in err
    assert "Traceback" not in err


def test_the_server_ends_with_the_command_that_started_it(project: Path, port: int) -> None:
    server = start(project, "actions", "--port", str(port))
    wait_for(port)
    server.kill()
    server.communicate()
    deadline = time.monotonic() + 20
    while is_listening(port) and time.monotonic() < deadline:
        time.sleep(0.1)


def failure(root: Path, *arguments: str) -> str:
    done = start(root, "actions", *arguments, script=REPORT)
    _, err = done.communicate(timeout=60)
    assert done.returncode == 1
    return err.strip()


def test_a_port_in_use_is_one_clear_line(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        line = failure(project, "--port", str(number))
    assert line.startswith(f"2: cannot listen on 127.0.0.1:{number} (Address already in use)")
    assert "\n" not in line


def test_a_project_without_actions_is_one_clear_line(tmp_path: Path) -> None:
    line = failure(tmp_path)
    assert line.startswith("2: ")
    assert "no actions/ folder" in line


def test_actions_that_do_not_import_end_the_command(tmp_path: Path) -> None:
    (tmp_path / "actions.py").write_text("import no_such_module_here\n")
    line = failure(tmp_path, "--port", str(free_port()))
    assert "No module named 'no_such_module_here'" in line
    assert "1: the action server ended with exit code 1" in line


def test_the_server_listens_on_loopback_unless_told_otherwise(project: Path) -> None:
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-c", RUN, "actions", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, env=env).stdout
    assert "127.0.0.1" in text
    assert "Example: agent actions" in text
