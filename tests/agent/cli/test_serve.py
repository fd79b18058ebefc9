"""`agent serve` as a process: ready, stopped in order, several processes, a new model."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from agent.cli.serve import is_loopback, listen
from agent.errors import InputError
from agent.registry import Registry
from tests.conftest import Run


@contextmanager
def serving(project: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server process and its address; ended, and its log read, afterwards."""
    command = [sys.executable, "-m", "agent", "serve", "--project", str(project), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--no-worker", *options], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stderr.read()
        wait_for(found[0])
        yield process, found[0]
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        process.stderr.close()


def wait_for(address: str) -> None:
    """Wait until a server answers."""
    for _ in range(1200):
        try:
            urlopen(f"{address}/healthz", timeout=5).close()
            return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("the server was not ready in time")


def say(address: str, text: str, sender: str = "s") -> list[dict[str, object]]:
    """What the REST channel answers."""
    body = json.dumps({"sender": sender, "message": text}).encode()
    request = Request(f"{address}/webhooks/rest/webhook", body)
    request.add_header("Content-Type", "application/json")
    with urlopen(request, timeout=60) as answer:
        found: list[dict[str, object]] = json.load(answer)
        return found


def count_of_turns(address: str) -> float:
    """What /metrics says of the REST channel's turns."""
    with urlopen(f"{address}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.search(r'^agent_turns_total\{channel="rest"\} (\S+)$', text, re.MULTILINE)
    assert found, text
    return float(found[1])


def test_it_answers_and_stops_in_order(shop: Path) -> None:
    with serving(shop) as (process, address):
        assert str(say(address, "hello")[0]["text"]).startswith("Hello!")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    # The embedded Redis was stopped by its last client.
    assert not (shop / ".agent" / "redis" / "redis.pid").exists()


def test_a_turn_in_work_is_finished_when_the_server_stops(shop: Path) -> None:
    with serving(shop) as (process, address), ThreadPoolExecutor(8) as pool:
        sends = [pool.submit(say, address, "hello", f"s{n}") for n in range(40)]
        sends[0].result()
        process.send_signal(signal.SIGTERM)
        answered = refused = 0
        for send in sends:
            try:
                assert send.result()
                answered += 1
            except (URLError, OSError):
                refused += 1  # it came after the server had stopped to listen
        assert process.wait(30) == 0
    assert answered >= 1
    assert answered + refused == 40


def test_two_processes_share_a_socket_and_a_conversation_stays_in_order(shop: Path) -> None:
    with serving(shop, "--workers", "2") as (process, address), ThreadPoolExecutor(6) as pool:
        texts = [f"hello number {n}" for n in range(24)]
        answers = list(pool.map(lambda text: say(address, text, "one"), texts))
        with urlopen(f"{address}/conversations/one/tracker", timeout=30) as answer:
            tracker = json.load(answer)
        counted = [count_of_turns(address) for _ in range(6)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert all(answers)
    # Whichever process is asked, it tells of the turns of both.
    assert counted == [len(texts)] * 6
    kinds = [e["event"] for e in tracker["events"] if e["event"] in ("user", "bot")]
    assert sorted(e["text"] for e in tracker["events"] if e["event"] == "user") == sorted(texts)
    # Each message is followed by its own answer: turns did not run into each other.
    starts = [i for i, kind in enumerate(kinds) if kind == "user"]
    assert all(kinds[i + 1 : i + 2] == ["bot"] for i in starts)


def test_a_promoted_model_serves_without_a_restart(shop: Path) -> None:
    registry = Registry(shop)
    first = registry.production_id()
    assert first is not None
    folder = registry.temporary()
    for file in (shop / "models" / first).iterdir():
        if file.name != "manifest.json":
            (folder / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((shop / "models" / first / "manifest.json").read_text())
    kept = {k: v for k, v in manifest.items() if k not in ("id", "format", "created_at", "files")}
    second = registry.publish(folder, kept)
    with serving(shop) as (_, address):
        registry.promote(second.id)
        say(address, "hello")
        with urlopen(f"{address}/status", timeout=30) as answer:
            assert json.load(answer)["model_id"] == second.id


def test_it_does_not_listen_beyond_loopback_unprotected(shop: Path, run_agent: Run) -> None:
    done = run_agent(
        "serve", "--project", str(shop), "--host", "0.0.0.0", "--port", "0", "--no-worker"
    )
    assert done.returncode == 2
    assert "nothing protects it" in done.stderr
    assert "Serving" not in done.stderr
    assert "Traceback" not in done.stderr


def test_it_does_not_say_that_it_serves_where_an_endpoint_is_wrong(
    shop: Path, run_agent: Run
) -> None:
    (shop / "endpoints.yml").write_text("action_endpoint:\n  url: 5\n", "utf-8")
    done = run_agent("serve", "--project", str(shop), "--port", "0", "--no-worker")
    assert done.returncode == 2
    assert "endpoints.yml:2" in done.stderr
    assert "Serving" not in done.stderr


def test_a_user_is_added_listed_and_removed(shop: Path, run_agent: Run) -> None:
    project = ("--project", str(shop))
    added = run_agent("users", "add", "mia", "--role", "admin", *project, stdin="long enough\n")
    assert added.returncode == 0, added.stderr
    twice = run_agent("users", "add", "mia", *project, stdin="long enough\n")
    assert twice.returncode == 2
    short = run_agent("users", "add", "leo", *project, stdin="short\n")
    assert (short.returncode, "10 to" in short.stderr) == (2, True)
    listed = json.loads(run_agent("users", "list", "--json", *project).stdout)
    assert [(one["name"], one["role"]) for one in listed] == [("mia", "admin")]
    assert run_agent("users", "remove", "mia", *project).returncode == 0
    assert run_agent("users", "remove", "mia", *project).returncode == 2


def test_rasas_name_for_it_takes_rasas_options(shop: Path) -> None:
    command = [sys.executable, "-m", "agent", "run", "--enable-api", "--auth-token", "t0ken"]
    command += ["--cors", "https://shop.example", "--model", str(shop / "models"), "-vv"]
    process = subprocess.Popen(
        [*command, "--project", str(shop), "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        wait_for(found[0])
        asked = Request(
            f"{found[0]}/status?token=t0ken", headers={"Origin": "https://shop.example"}
        )
        with urlopen(asked, timeout=30) as answer:
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"{found[0]}/status", timeout=30)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
        process.stderr.close()


@pytest.mark.parametrize("option", ["--credentials", "--endpoints", "--model"])
def test_rasas_options_for_other_files_are_refused(shop: Path, run_agent: Run, option: str) -> None:
    done = run_agent("run", option, "elsewhere.yml", "--project", str(shop))
    assert done.returncode == 2
    assert f"{option} must be the project's own" in done.stderr


def test_addresses_of_this_machine_are_told_from_others() -> None:
    assert [is_loopback(one) for one in ("127.0.0.1", "::1", "localhost", "127.9.9.9")] == [
        True
    ] * 4
    assert [is_loopback(one) for one in ("0.0.0.0", "::", "10.0.0.1", "box")] == [False] * 4


def test_a_port_that_another_process_is_about_to_serve_is_refused() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(InputError, match="cannot listen"):
        listen("127.0.0.1", first.getsockname()[1])
