"""A hand-made project with custom actions, and a rasa-sdk server over it, for the contract."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

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
        return [SlotSet("texts", texts), SlotSet("intents", sorted(domain.get("intents") or []))]


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


@contextmanager
def action_server(root: Path, env: dict[str, str]) -> Iterator[str]:
    """rasa-sdk's own server for the project, on a free loopback port; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "rasa_sdk", "--actions", "actions", "--port", str(port)]
    with (root / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=root, stdout=log, stderr=log, env={**env, "SANIC_HOST": "127.0.0.1"}
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the action server ended"
        try:
            if httpx2.get(url, trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("the action server did not start")
