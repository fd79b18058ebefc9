"""A payload whose intent nobody knows is text like any other, as in Rasa."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.assemble import load_taught_interpreter
from agent.understanding.interpreter import Interpreter
from agent.understanding.memory import CorrectionMemory, MemoryEntry


@pytest.fixture(scope="module")
def interpreter(trained_shop: Path) -> Interpreter:
    """The shop's understanding as its turns have it."""
    return load_taught_interpreter(trained_shop)


@pytest.mark.parametrize(
    "text", ["/greet", '/inform{"order_number": "A1"}', "/restart", "/nlu_fallback", "/greet@0.4"]
)
def test_a_payload_may_name_the_domains_intents_and_the_built_in_ones(
    interpreter: Interpreter, text: str
) -> None:
    assert interpreter.understand([text])[0].source == "payload"


@pytest.mark.parametrize("text", ["/dance", '/dance{"order_number": "A1"}', "/Greet", "/hi there"])
def test_any_other_name_is_read_as_what_the_user_wrote(interpreter: Interpreter, text: str) -> None:
    heard = interpreter.understand([text])[0]
    assert heard.source != "payload"
    assert text[1:] not in [score.intent for score in heard.ranking]
    assert heard.text == text


def test_a_program_may_inject_what_the_domain_lacks(interpreter: Interpreter) -> None:
    heard = interpreter.understand(["EXTERNAL: /dance"])[0]
    assert (heard.source, heard.ranking[0].intent) == ("payload", "dance")


@pytest.mark.parametrize("intent", ["dance", "dance/waltz"])
def test_an_intent_that_only_a_correction_knows_may_be_named(
    interpreter: Interpreter, intent: str
) -> None:
    memory = CorrectionMemory(encode=interpreter.encode)
    taught = replace(interpreter, memory=memory)
    memory.add(MemoryEntry("c1", "let us dance", intent))
    assert taught.understand(["/dance"])[0].source == "payload"
    memory.remove("c1")
    assert taught.understand(["/dance"])[0].source != "payload"


def test_an_interpreter_without_a_domain_takes_any_name(trained_shop: Path) -> None:
    model = next(p for p in (trained_shop / "models").iterdir() if (p / "manifest.json").is_file())
    alone = Interpreter.load(model)
    assert alone.understand(["/dance"])[0].source == "payload"
