"""Commands of Rasa's that have another home here, or none: each is answered by a line."""

from collections.abc import Callable

import typer

from agent.errors import InputError

_COMMANDS = {
    "interactive": "talk with `agent chat --debug`, which shows each prediction, and keep what "
    "was said as a story with /save",
    "export": "`agent conversations export ID` writes a conversation with all of its events",
    "evaluate": "markers are not computed; `agent conversations export` gives the events to count",
    "x": "`agent serve` has the review page at /review",
    "telemetry": "nothing is reported to anybody: there is nothing to switch on or off",
}
_READ_AS_IT_IS = "2.x files and 1.x Markdown are read as they are; `agent validate` tells of it"
_DATA = {
    "convert": _READ_AS_IT_IS,
    "migrate": _READ_AS_IT_IS,
    "split": "training holds out a part by itself, and `agent test --nlu FILE --cross-validation` "
    "measures in parts",
}
_ANY_WORDS = {"ignore_unknown_options": True, "allow_extra_args": True}


def register(app: typer.Typer) -> None:
    """Add the commands; none is listed in the help."""
    _add(app, "", _COMMANDS)


def register_data(data: typer.Typer) -> None:
    """Add those below `data`."""
    _add(data, "data ", _DATA)


def _add(app: typer.Typer, group: str, answers: dict[str, str]) -> None:
    for name, answer in answers.items():
        command = app.command(name, hidden=True, context_settings=_ANY_WORDS)
        command(_answering(f"there is no `agent {group}{name}`: {answer}"))


def _answering(answer: str) -> Callable[[], None]:
    def command() -> None:
        raise InputError(answer)

    command.__doc__ = answer
    return command
