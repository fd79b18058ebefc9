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
    from agent.turn import Understanding
    from agent.understanding.explain import Explanation

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
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines in a terminal, too, as in a pipe.")
    ] = False,
) -> None:
    """Understand messages without a dialogue: tables in a terminal, else a JSON object a line.

    A project's corrections count, a --model folder knows none. Empty lines are skipped.
    Example: agent parse "block my card" "what's my balance?"
    """
    messages = _messages(text, file)
    # Loads onnxruntime: only when it is used.
    from agent.assemble import load_interpreter, load_taught_interpreter

    taught = model is None
    interpreter = load_taught_interpreter(project) if taught else load_interpreter(None, model)
    show = _write_json if as_json or not sys.stdout.isatty() else _show
    for batch in _batches(messages):
        for understanding in interpreter.understand(batch):
            show(understanding, interpreter.explain(understanding.text) if explain else None)
    sys.stdout.flush()


def _messages(text: list[str] | None, file: Path | None) -> Iterable[str]:
    if text and file is not None:
        raise InputError("give messages as arguments or with --file, not both")
    if text:
        for number, one in enumerate(text, 1):
            if not one.strip():
                raise InputError(f"message {number} is empty")
        return [_encodable(one) for one in text]
    if file is None:
        return _without_empty(sys.stdin)
    try:
        # A last line break ends a line; `splitlines` would also break at rarer characters.
        lines = file.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=file) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is no UTF-8 text: {error}", path=file) from error
    if not any(line.strip() for line in lines):
        raise InputError("holds no message", path=file)
    return _without_empty(lines)


def _without_empty(lines: Iterable[str]) -> Iterator[str]:
    """The lines that say something; the others are counted on standard error at the end."""
    first, count = 0, 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _encodable(line.rstrip("\r\n"))
        else:
            first, count = first or number, count + 1
    if count:
        plural = "line" if count == 1 else "lines"
        sys.stderr.write(f"agent: {count} empty {plural} skipped, the first is line {first}\n")


def _encodable(text: str) -> str:
    """The text with a mark for each byte that was no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _batches(messages: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(messages)
    # A person at a terminal is answered line by line; a file goes in batches.
    size = 1 if sys.stdin.isatty() else _BATCH
    while batch := list(islice(iterator, size)):
        yield batch


def _show(understanding: "Understanding", explanation: "Explanation | None") -> None:
    from rich.console import Console

    from agent.cli.view import marked, show_understanding

    console = Console()
    console.print(marked(understanding.text, understanding.entities))
    show_understanding(console, understanding, explanation)
    console.print()


def _write_json(understanding: "Understanding", explanation: "Explanation | None") -> None:
    from agent.understanding.rasa_format import parse_result

    result = parse_result(understanding)
    if explanation is not None:
        result["explanation"] = _explanation_json(explanation)
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")


def _explanation_json(explanation: "Explanation") -> dict[str, object]:
    return {
        "intent": explanation.intent,
        "confidence": round(explanation.confidence, 6),
        "tokens": [
            {
                "token": part.text,
                "start": part.start,
                "end": part.end,
                "weight": round(part.weight, 6),
                "without": round(part.without, 6),
            }
            for part in explanation.tokens
        ],
        "nearest": [
            {"text": n.text, "intent": n.intent, "similarity": n.similarity}
            for n in explanation.nearest
        ],
    }
