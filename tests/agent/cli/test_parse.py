"""What `agent parse` reads and writes, with a scripted interpreter."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.__main__ import build_app
from agent.errors import InputError
from agent.turn import IntentScore, Neighbour, Understanding
from agent.understanding.explain import Explanation, Part


class Scripted:
    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        return [Understanding(text, (IntentScore("greet", 1.0),)) for text in texts]

    def explain(self, text: str) -> Explanation:
        near = Neighbour("", "hi", "greet", 0.9)
        return Explanation("greet", 1.0, (Part(text, 0, len(text), 1.0, 0.2),), (near,))


@pytest.fixture(autouse=True)
def _interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.assemble.load_taught_interpreter", lambda _: Scripted())


def run(*arguments: str, given: str = "") -> Any:
    return CliRunner().invoke(build_app(), ["parse", *arguments], input=given)


def texts(result: Any) -> list[str]:
    return [json.loads(line)["text"] for line in result.stdout.split("\n")[:-1]]


def test_empty_lines_of_a_file_are_skipped_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "messages.txt"
    file.write_text("\ufeffhello\n\n  \nbye\u2028now\r\n", encoding="utf-8")
    result = run("--file", str(file))
    assert texts(result) == ["hello", "bye\u2028now"]
    assert "2 empty lines skipped, the first is line 2" in result.stderr


def test_lines_of_standard_input_are_read() -> None:
    result = run(given="hello\n\nbye")
    assert texts(result) == ["hello", "bye"]
    assert "1 empty line skipped, the first is line 2" in result.stderr


@pytest.mark.parametrize("content", ["", "\n\n", "  \n"])
def test_a_file_without_a_message_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "messages.txt"
    file.write_text(content)
    result = run("--file", str(file))
    assert isinstance(result.exception, InputError)
    assert "holds no message" in str(result.exception)


def test_an_empty_argument_is_refused_by_its_number() -> None:
    result = run("hello", "")
    assert "message 2 is empty" in str(result.exception)


def test_arguments_and_a_file_are_refused_together(tmp_path: Path) -> None:
    assert isinstance(run("hello", "--file", "x").exception, InputError)


def test_an_explanation_has_tokens_with_offsets_and_examples() -> None:
    found = json.loads(run("hello", "--explain", "--json").stdout)["explanation"]
    assert found == {
        "intent": "greet",
        "confidence": 1.0,
        "tokens": [{"token": "hello", "start": 0, "end": 5, "weight": 1.0, "without": 0.2}],
        "nearest": [{"text": "hi", "intent": "greet", "similarity": 0.9}],
    }
