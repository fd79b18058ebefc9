"""`agent parse`: what messages mean, one Rasa parse result a line."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import ModelOption, ProjectOption
from agent.errors import InputError

if TYPE_CHECKING:
    from agent.understanding.interpreter import Interpreter

_BATCH = 64


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("parse")(parse)


def parse(
    text: Annotated[
        list[str] | None, typer.Argument(help="Messages; none: lines of standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Read messages from its lines.")
    ] = None,
    model: ModelOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add token attributions and nearest examples.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Understand messages without a dialogue; prints one JSON object a line.

    Example: agent parse "block my card" "what's my balance?"
    """
    from agent.assemble import load_interpreter  # loads onnxruntime: only when it is used
    from agent.understanding.rasa_format import parse_result

    messages = _messages(text, file)
    interpreter = load_interpreter(project, model)
    for batch in _batches(messages):
        for understanding in interpreter.understand(batch):
            result = parse_result(understanding)
            if explain:
                result["explanation"] = _explanation(interpreter, understanding.text)
            sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _messages(text: list[str] | None, file: Path | None) -> Iterable[str]:
    if text and file is not None:
        raise InputError("give messages as arguments or with --file, not both")
    if text:
        return text
    if file is None:
        return (line.rstrip("\r\n") for line in sys.stdin)
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=file) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is no UTF-8 text: {error}", path=file) from error


def _batches(messages: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(messages)
    # A person at a terminal is answered line by line; a file goes in batches.
    size = 1 if sys.stdin.isatty() else _BATCH
    while batch := list(islice(iterator, size)):
        yield batch


def _explanation(interpreter: "Interpreter", text: str) -> dict[str, object]:
    explanation = interpreter.explain(text)
    return {
        "tokens": [{"token": token, "weight": weight} for token, weight in explanation.tokens],
        "nearest": [
            {"text": n.text, "intent": n.intent, "similarity": n.similarity}
            for n in explanation.nearest
        ],
    }
