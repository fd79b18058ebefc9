"""A small bot whole: training it, its turns, and those of a form with an action server."""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import mean, median
from time import perf_counter, process_time, sleep
from typing import Any

from agent.actions.events_json import encode
from agent.actions.remote import PROTOCOL_VERSION
from agent.actions.wire import tracker_state
from agent.assemble import Assistant, open_assistant
from agent.dialogue.tracker import Tracker
from agent.settings import load_settings
from agent.turn import Message, new_id
from tests.agent.cli.test_actions import free_port, is_listening
from tests.benchmarks.http_clients import exchange

EVENTS, CALLS = 1200, 60
PEER_TRAIN_S, PEER_MS, PEER_FORM_MS = 85.0, 42.0, 60.0
"""Rasa 3.6.21 on one core: training a starter bot, a turn of it, one in a form."""
SMALL_TALK = ("good morning", "I feel wonderful", "thank you", "today is awful", "yes", "see you")
BOOKING = ("book me a table", "4", "friday")
EXAMPLES = {
    "greet": ("hello", "hi there", "good morning", "good evening", "hey", "hello you"),
    "goodbye": ("bye", "see you", "good night", "until tomorrow", "farewell", "bye bye"),
    "thank": ("thanks", "thank you", "many thanks", "great, thanks", "thank you so much"),
    "affirm": ("yes", "sure", "of course", "that's right", "yes please", "indeed"),
    "deny": ("no", "never", "not really", "no thanks", "I don't think so", "nope"),
    "happy": ("I feel wonderful", "so good", "I am great", "feeling fine", "perfect day"),
    "sad": ("today is awful", "I am sad", "so bad", "feeling terrible", "I am unhappy"),
    "book": ("book me a table", "I want to eat out", "reserve a table", "a table please"),
    "inform": ("4", "friday", "two", "on monday", "seven of us", "tomorrow"),
}
DOMAIN = """
version: "3.1"
intents: [greet, goodbye, thank, affirm, deny, happy, sad, book, inform]
slots:
  people: &asked
    type: text
    mappings: [{type: from_text, conditions: [{active_loop: table, requested_slot: people}]}]
  day:
    type: text
    mappings: [{type: from_text, conditions: [{active_loop: table, requested_slot: day}]}]
forms: {table: {required_slots: [people, day]}}
actions: [validate_table, action_book]
responses:
  utter_greet: [{text: Hello! How are you?}]
  utter_happy: [{text: Good to hear.}]
  utter_cheer_up: [{text: Here is a joke. Did it help?}]
  utter_goodbye: [{text: Goodbye.}]
  utter_welcome: [{text: You are welcome.}]
  utter_ask_people: [{text: For how many?}]
  utter_ask_day: [{text: On which day?}]
"""
RULES = """
version: "3.1"
rules:
- {rule: bye, steps: [{intent: goodbye}, {action: utter_goodbye}]}
- {rule: thanks, steps: [{intent: thank}, {action: utter_welcome}]}
- {rule: happy, steps: [{intent: happy}, {action: utter_happy}]}
- {rule: table, steps: [{intent: book}, {action: table}, {active_loop: table}]}
- rule: booked
  condition: [{active_loop: table}]
  steps: [{action: table}, {active_loop: null}, {action: action_book}]
stories:
- {story: good, steps: [{intent: greet}, {action: utter_greet}, {intent: happy},
    {action: utter_happy}]}
- {story: bad, steps: [{intent: greet}, {action: utter_greet}, {intent: sad},
    {action: utter_cheer_up}, {intent: affirm}, {action: utter_happy}]}
- {story: worse, steps: [{intent: sad}, {action: utter_cheer_up}, {intent: deny},
    {action: utter_goodbye}]}
"""
ACTIONS = """
from rasa_sdk import Action, FormValidationAction
from rasa_sdk.events import SlotSet


class Validate(FormValidationAction):
    def name(self):
        return "validate_table"

    def validate_people(self, value, dispatcher, tracker, domain):
        return {"people": value}


class Book(Action):
    def name(self):
        return "action_book"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(text="Booked.")
        return [SlotSet("people", None), SlotSet("day", None)]
"""


def run(data: Path) -> dict[str, float]:
    """Training with method `head`, and turns from the text to the logged reply, on one core.

    `ms` are medians of wall time, of the turns before the 150th event of a conversation and
    (`late`) after its 1,000th; `cpu_ms` are means of this process's time, which other load on the
    machine leaves alone. `form` turns call an action server of rasa-sdk over HTTP;
    `form_server_ms` is what one such call takes by itself, sent by a bare client with the
    first 150 events of that conversation and (`late`) with all of them. The training is the
    second one of a user: the encoder's ONNX file is there.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        root, port = Path(folder), free_port()
        _write(root, port)
        torch = " torch\n" in _train(root, "-X", "importtime")
        begun, used = perf_counter(), _children_s()
        _train(root)
        training = {"train_s": perf_counter() - begun, "train_cpu_s": _children_s() - used}
        with _action_server(root, port):
            turns = asyncio.run(_turns(root, port))
    figures = training | turns
    figures["peer_over_train"] = PEER_TRAIN_S / training["train_s"]
    figures["peer_over_late"] = PEER_MS / turns["late_ms"]
    figures["peer_over_form_late"] = PEER_FORM_MS / turns["form_late_ms"]
    return {name: round(value, 2) for name, value in figures.items()} | {"torch": int(torch)}


def _write(root: Path, port: int) -> None:
    files = {
        "domain.yml": DOMAIN,
        "data/rules.yml": RULES,
        "actions.py": ACTIONS,
        "endpoints.yml": f"action_endpoint: {{url: 'http://127.0.0.1:{port}/webhook'}}\n",
    }
    nlu = [
        f"- intent: {intent}\n  examples: {json.dumps(_listed(texts))}"
        for intent, texts in EXAMPLES.items()
    ]
    files["data/nlu.yml"] = 'version: "3.1"\nnlu:\n' + "\n".join(nlu) + "\n"
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def _listed(texts: Sequence[str]) -> str:
    return "".join(f"- {text}\n" for text in texts)


def _train(root: Path, *options: str) -> str:
    """Train in a process of its own; what it writes on stderr."""
    command = [sys.executable, *options, "-m", "agent", "train", "--method", "head", "--json"]
    done = subprocess.run(
        [*command, "--project", str(root)], check=True, capture_output=True, text=True
    )
    return done.stderr


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _action_server(root: Path, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "agent", "actions", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--project", str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            while not is_listening(port):
                if server.poll() is not None:
                    raise AssertionError("the action server did not start")
                sleep(0.1)
            yield
        finally:
            server.terminate()


async def _turns(root: Path, port: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with open_assistant(root, load_settings(root)) as assistant:
        for prefix, talk in (("", SMALL_TALK), ("form_", BOOKING)):
            taken = await _converse(assistant, f"talk {prefix}", talk)
            figures[f"{prefix}early_ms"] = median(ms for at, ms, _ in taken[5:] if at < 150)
            figures[f"{prefix}late_ms"] = median(ms for at, ms, _ in taken if at > 1000)
            figures[f"{prefix}early_cpu_ms"] = mean(cpu for at, _, cpu in taken[5:] if at < 150)
            figures[f"{prefix}late_cpu_ms"] = mean(cpu for at, _, cpu in taken if at > 1000)
        tracker = await assistant.tracker("talk form_")
        for name, events in (("", tracker.events[:150]), ("_late", tracker.events)):
            called = Tracker.from_events("talk form_", tracker.domain, events)
            figures[f"form_server{name}_ms"] = await _server_ms(port, called)
    return figures


async def _server_ms(port: int, tracker: Tracker) -> float:
    """The median of a call of the action server alone, in milliseconds."""
    call: dict[str, Any] = {"next_action": "validate_table", "version": PROTOCOL_VERSION}
    call |= {"sender_id": tracker.conversation_id, "tracker": tracker_state(tracker), "domain": {}}
    body, taken = encode(call), []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(CALLS):
        begun = perf_counter()
        status, _ = await exchange(reader, writer, "/webhook", body)
        taken.append((perf_counter() - begun) * 1000)
        assert status == 200
    writer.close()
    return median(taken)


async def _converse(
    assistant: Assistant, conversation: str, talk: Sequence[str]
) -> list[tuple[int, float, float]]:
    """The events before each turn, its milliseconds, and those that this process ran."""
    taken: list[tuple[int, float, float]] = []
    for text in cycle(talk):
        before = len((await assistant.tracker(conversation)).events)
        if before > EVENTS:
            return taken
        message = Message(new_id(), conversation, text)
        begun, used = perf_counter(), process_time()
        turn = await assistant.manager.handle(message)
        taken.append((before, (perf_counter() - begun) * 1000, (process_time() - used) * 1000))
        if not turn.replies:
            raise AssertionError(f"no reply to {text!r}")
    raise AssertionError("no talk")
