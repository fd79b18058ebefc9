"""A hand-made project with custom actions, and a rasa-sdk server over it, for the contract."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ACTIONS = """
import asyncio
import os
import time
from datetime import datetime

from rasa_sdk import Action, FormValidationAction
from rasa_sdk.events import AllSlotsReset, SlotSet
from rasa_sdk.interfaces import ActionExecutionRejection

import agent
import config


class Greet(Action):
    def name(self):
        return "action_greet"

    def run(self, dispatcher, tracker, domain):
        print("greeting", tracker.sender_id)
        name = tracker.get_slot("name")
        dispatcher.utter_message(text=f"Hello {name}!", buttons=[{"title": "Hi", "payload": "/hi"}])
        dispatcher.utter_message(response="utter_more", count=len(tracker.events))
        return [SlotSet("greeted", True), AllSlotsReset()]


class Count(Action):
    def name(self):
        return "action_count"

    async def run(self, dispatcher, tracker, domain):
        await asyncio.sleep(0)
        texts = [e["text"] for e in tracker.events if e["event"] == "user"]
        # Over gRPC the names in a domain come wrapped.
        names = domain.get("intents") or []
        names = [name if isinstance(name, str) else name["string_value"] for name in names]
        return [SlotSet("texts", texts), SlotSet("intents", sorted(names))]


class Reject(Action):
    def name(self):
        return "action_reject"

    def run(self, dispatcher, tracker, domain):
        raise ActionExecutionRejection(self.name(), "not now")


class Fail(Action):
    def name(self):
        return "action_fail"

    def run(self, dispatcher, tracker, domain):
        raise ValueError("the ledger is shut")


class NotJson(Action):
    def name(self):
        return "action_not_json"

    def run(self, dispatcher, tracker, domain):
        return [SlotSet("when", datetime.now().astimezone())]


class Nothing(Action):
    def name(self):
        return "action_nothing"

    def run(self, dispatcher, tracker, domain):
        return None


class Hang(Action):
    def name(self):
        return "action_hang"

    def run(self, dispatcher, tracker, domain):
        time.sleep(30)
        return []


class Shadow(Action):
    def name(self):
        return "action_shadow"

    def run(self, dispatcher, tracker, domain):
        return [SlotSet("shadow", [agent.WHO, config.WHO, os.path.basename(os.getcwd())])]


class Stream(Action):
    def name(self):
        return "action_stream"

    async def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(text="first")
        await dispatcher.stream_start()
        for word in ("one ", "two ", "三"):
            await dispatcher.stream_chunk(text=word)
        await dispatcher.stream_chunk(image="cat.png")
        await dispatcher.stream_end()
        return [SlotSet("count", 3), SlotSet("share", 0.5)]


class ValidateOrder(FormValidationAction):
    def name(self):
        return "validate_order_form"

    def validate_size(self, value, dispatcher, tracker, domain):
        if value not in ("small", "large"):
            dispatcher.utter_message(text="Small or large?")
            return {"size": None}
        return {"size": value}
"""


def write_project(root: Path) -> Path:
    """A project whose modules carry the names of our packages."""
    (root / "actions").mkdir(parents=True)
    (root / "actions" / "__init__.py").write_text("")
    (root / "actions" / "actions.py").write_text(ACTIONS, encoding="utf-8")
    for name in ("agent", "config"):
        (root / f"{name}.py").write_text(f"WHO = 'the project'  # {name}\n")
    return root


@dataclass
class RunningServer:
    """A rasa-sdk server in a process of its own; leaving its `with` block ends it."""

    url: str
    port: int
    process: "subprocess.Popen[bytes]"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:  # it does not hear it while its workers start
            self.kill()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def start_server(
    root: Path, env: dict[str, str], *more: str, port: int | None = None
) -> RunningServer:
    """rasa-sdk's own server for the project on loopback, ready; `more` are its own arguments."""
    port = port or _free_port()
    command = [sys.executable, "-m", "rasa_sdk", "--actions", "actions", "--port", str(port), *more]
    with (root / "server.log").open("a") as log:
        process = subprocess.Popen(
            command,
            cwd=root,
            stdout=log,
            stderr=log,
            env={**env, "SANIC_HOST": "127.0.0.1"},
            start_new_session=True,  # it has workers, which are killed with it
        )
    grpc = "--grpc" in more
    url = f"grpc://127.0.0.1:{port}" if grpc else f"http://127.0.0.1:{port}/webhook"
    server = RunningServer(url, port, process)
    try:
        _wait_until_open(server)
    except BaseException:
        server.kill()
        raise
    return server


@contextmanager
def action_server(root: Path, env: dict[str, str], *more: str) -> Iterator[str]:
    """The same as its URL, ended with the block."""
    with start_server(root, env, *more) as server:
        yield server.url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(server: RunningServer) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.process.poll() is None, "the action server ended"
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the action server did not start")
