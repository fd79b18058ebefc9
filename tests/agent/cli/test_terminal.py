"""A person's terminal: what is shown at once, and what a line is completed to."""

from dataclasses import replace

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from agent.cli.terminal import RichTerminal, _Commands
from agent.settings import ChatSettings
from agent.turn import Button, Message, Reply, Turn, Understanding

FIRST = Reply("c", "One moment.", (Button("Stop", "/stop"),))
SECOND = Reply("c", "Done.", (Button("Again", "/again"),))


def turn(*replies: Reply) -> Turn:
    message = Message("m", "c", "go")
    return Turn("t", message, Understanding("go"), (), replies, "v1", 1.0)


def test_a_reply_is_shown_at_once_and_once_and_buttons_are_numbered_through(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = RichTerminal(ChatSettings(sources=True, colors=False))
    terminal.hear(FIRST)
    assert "One moment." in capsys.readouterr().out
    assert terminal.show(turn(replace(FIRST, turn_id="t"), SECOND)) == ["/stop", "/again"]
    shown = capsys.readouterr().out
    assert "One moment." not in shown
    assert "2. Again" in shown


def test_a_reply_that_changed_before_the_turn_ended_is_shown_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = RichTerminal(ChatSettings(sources=True, colors=False))
    terminal.hear(FIRST)
    terminal.show(turn(SECOND))
    assert "1. Again" in capsys.readouterr().out


def test_what_is_written_so_far_stands_beside_the_spinner() -> None:
    terminal = RichTerminal(ChatSettings(sources=True, colors=False))
    with terminal.thinking():
        terminal.write("One [1].")
        terminal.write(" Two [1].")
        assert str(terminal._status.status) == "One [1]. Two [1]."
        terminal.hear(FIRST)
        assert str(terminal._status.status) == "…"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("/wr", ["/wrong"]),
        ("/gre", ["/greet"]),
        ("/wrong gre", ["greet"]),
        ("/wrong card", ["block_card"]),
        ("hello", []),
    ],
)
def test_commands_and_intents_are_completed(line: str, offered: list[str]) -> None:
    completer = _Commands(["/wrong", "/why"], ["greet", "block_card"])
    found = completer.get_completions(Document(line), CompleteEvent())
    assert [one.text for one in found] == offered
