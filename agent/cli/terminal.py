"""The faces of a chat session: a person's terminal, a pipe, a stream of JSON."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, WordCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI, FormattedText
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli.view import plain_lines, show_replies, show_slots, show_why
from agent.settings import ChatSettings, home
from agent.turn import Reply, Turn
from agent.turn_record import turn_record

if TYPE_CHECKING:
    from agent.understanding.explain import Explanation

_WRONG = "/wrong "
_AT_WORK = "…"
LEAVING = (KeyboardInterrupt, EOFError)


class Terminal(Protocol):
    """What a session needs of the place where it talks."""

    def lines(self) -> AsyncIterator[str]:
        """What the person writes, line by line, until they leave."""

    async def ask(self, question: str, words: Sequence[str] = ()) -> str:
        """One answer to a question; empty when the person declines (or cannot be asked)."""

    def thinking(self) -> AbstractContextManager[object]:
        """A sign that the assistant is at work."""

    def hear(self, reply: Reply) -> None:
        """Show a reply at once, before its turn has ended."""

    def write(self, text: str) -> None:
        """Show the next piece of a reply that is being written; it is heard as a whole, too."""

    def show(self, turn: Turn) -> list[str]:
        """Show what was not heard yet of a turn; returns the payloads of its numbered buttons."""

    def why(self, turn: Turn, explanation: "Explanation | None" = None) -> None:
        """Explain a turn, and with an explanation also its words."""

    def slots(self, slots: Mapping[str, Any]) -> None:
        """Show the slots."""

    def choices(self, title: str, options: Sequence[str]) -> None:
        """Show numbered options."""

    def note(self, text: str) -> None:
        """Tell something that is no reply."""

    def error(self, text: str) -> None:
        """Tell that something failed."""

    def help(self, commands: Mapping[str, str]) -> None:
        """Show the commands."""

    def welcome(self, name: str) -> None:
        """Open the session."""

    def farewell(self) -> None:
        """Close the session."""


@dataclass
class RichTerminal:
    """A person's terminal with colours, history and completion.

    Args:
        settings: how it looks.
        commands: what a line that begins with `/` may be.
        intents: what may follow `/` and `/wrong `.
        history: the file that keeps the lines, None for none.
    """

    settings: ChatSettings
    commands: Sequence[str] = ()
    intents: Sequence[str] = ()
    history: Path | None = None

    def __post_init__(self) -> None:
        plain = "NO_COLOR" in os.environ or not self.settings.colors
        self._console = Console(no_color=plain, highlight=False)
        self._prompt: PromptSession[str] = PromptSession(history=_open_history(self.history))
        self._heard: list[Reply] = []
        self._status = self._console.status(_AT_WORK, spinner="dots")
        self._written = ""
        self._style = FormattedText([("" if plain else "bold ansigreen", "you › ")])

    async def lines(self) -> AsyncIterator[str]:
        """Lines from the prompt; Ctrl-C and Ctrl-D end it."""
        completer = _Commands(self.commands, self.intents)
        while True:
            try:
                # What comes meanwhile (a reminder) is printed above the line being written.
                with patch_stdout(raw=True):
                    line = await self._prompt.prompt_async(self._style, completer=completer)
            except LEAVING:
                return
            yield line

    async def ask(self, question: str, words: Sequence[str] = ()) -> str:
        """One line; Ctrl-C and Ctrl-D decline."""
        session: PromptSession[str] = PromptSession(history=InMemoryHistory())
        completer = WordCompleter(list(words), sentence=True, match_middle=True)
        try:
            return await session.prompt_async(ANSI(question), completer=completer)
        except LEAVING:
            return ""

    def thinking(self) -> AbstractContextManager[object]:
        """A spinner, with what is written of a reply so far."""
        self._written = ""
        self._status = self._console.status(_AT_WORK, spinner="dots")
        return self._status

    def write(self, text: str) -> None:
        """Show it beside the spinner."""
        self._written += text
        self._status.update(Text(self._written))

    def hear(self, reply: Reply) -> None:
        """Print it; the numbers of its buttons go on from those before."""
        self._written = ""
        self._status.update(_AT_WORK)
        before = sum(len(one.buttons) for one in self._heard)
        self._heard.append(reply)
        show_replies(self._console, [reply], sources=self.settings.sources, first=before + 1)

    def show(self, turn: Turn) -> list[str]:
        """Print the replies that were not heard, or are others by now."""
        note_truncation(self, turn)
        if not turn.replies:
            self.note("(no reply)")
        heard = list(self._heard)
        # A reply learns its turn only when that has ended.
        whole = [replace(reply, turn_id=None) for reply in turn.replies]
        if heard and [replace(reply, turn_id=None) for reply in heard] == whole[: len(heard)]:
            for reply in turn.replies[len(heard) :]:
                self.hear(reply)
        else:
            show_replies(self._console, turn.replies, sources=self.settings.sources)
        self._heard = []
        return [button.payload for reply in turn.replies for button in reply.buttons]

    def why(self, turn: Turn, explanation: "Explanation | None" = None) -> None:
        """Print the explanation."""
        show_why(self._console, turn, explanation)

    def slots(self, slots: Mapping[str, Any]) -> None:
        """Print the slots."""
        show_slots(self._console, slots)

    def choices(self, title: str, options: Sequence[str]) -> None:
        """Print numbered options."""
        self._console.print(Text(title, style="bold"))
        for number, option in enumerate(options, 1):
            self._console.print(Text(f"  {number}. {option}"))

    def note(self, text: str) -> None:
        """Print a dim line."""
        self._console.print(Text(text, style="dim"))

    def error(self, text: str) -> None:
        """Print a red line; what was heard of the turn that failed is over."""
        self._heard = []
        self._console.print(Text(text, style="red"))

    def help(self, commands: Mapping[str, str]) -> None:
        """Print the commands as a table."""
        table = Table(show_header=False, box=None)
        for name, meaning in commands.items():
            table.add_row(Text(name, style="bold"), Text(meaning))
        self._console.print(table)

    def welcome(self, name: str) -> None:
        """Say who is there and how to get help."""
        self.note(f"Talking to {name}. /help shows the commands, Ctrl-D ends.")

    def farewell(self) -> None:
        """Say goodbye."""
        self.note("Goodbye.")


class _Quiet:
    """What pipes share: lines from standard input, notes and errors on standard error."""

    async def lines(self) -> AsyncIterator[str]:
        """Lines of standard input until it ends."""
        lines: asyncio.Queue[str | None] = asyncio.Queue(maxsize=1)
        reading = asyncio.get_running_loop()
        # A thread of our own and not asyncio's: it may block for ever without keeping the
        # process from ending.
        threading.Thread(target=_read_lines, args=(reading, lines), daemon=True).start()
        while (line := await lines.get()) is not None:
            yield line

    async def ask(self, question: str, words: Sequence[str] = ()) -> str:
        """Nobody can be asked."""
        return ""

    def thinking(self) -> AbstractContextManager[object]:
        """No sign."""
        return nullcontext()

    def hear(self, reply: Reply) -> None:
        """Nothing: a turn is written as a whole."""

    def write(self, text: str) -> None:
        """Nothing: a turn is written as a whole."""

    def note(self, text: str) -> None:
        """A line on standard error."""
        sys.stderr.write(text + "\n")

    error = note

    def choices(self, title: str, options: Sequence[str]) -> None:
        """Nothing: nobody can be asked."""

    def help(self, commands: Mapping[str, str]) -> None:
        """The commands on standard error."""
        for name, meaning in commands.items():
            self.note(f"{name}  {meaning}")

    def welcome(self, name: str) -> None:
        """Nothing: replies only."""

    def farewell(self) -> None:
        """Nothing: replies only."""


@dataclass(slots=True)
class PipeTerminal(_Quiet):
    """Replies only, one line each, on standard output."""

    settings: ChatSettings

    def show(self, turn: Turn) -> list[str]:
        """Write the replies' lines."""
        note_truncation(self, turn)
        _write(plain_lines(turn.replies, sources=self.settings.sources))
        return [button.payload for reply in turn.replies for button in reply.buttons]

    def why(self, turn: Turn, explanation: "Explanation | None" = None) -> None:
        """Write the explanation's tables without colours."""
        with _plain_console() as console:
            show_why(console, turn, explanation)

    def slots(self, slots: Mapping[str, Any]) -> None:
        """Write the slots, one a line."""
        _write([f"{name}: {value!r}" for name, value in slots.items() if value is not None])


@dataclass(slots=True)
class JsonTerminal(_Quiet):
    """One Turn a line as JSON on standard output, and nothing else."""

    def show(self, turn: Turn) -> list[str]:
        """Write the turn."""
        _write([json.dumps(turn_record(turn), ensure_ascii=False)])
        return [button.payload for reply in turn.replies for button in reply.buttons]

    def why(self, turn: Turn, explanation: "Explanation | None" = None) -> None:
        """Nothing: the turn's line holds it."""

    def slots(self, slots: Mapping[str, Any]) -> None:
        """The slots on standard error, since standard output holds turns only."""
        self.note(json.dumps(dict(slots), ensure_ascii=False, default=str))


def open_terminal(
    settings: ChatSettings, commands: Sequence[str], intents: Sequence[str] = (), *, as_json: bool
) -> Terminal:
    """The face that fits: JSON if asked for, a person's where there is one, else a pipe's."""
    if as_json:
        return JsonTerminal()
    if sys.stdin.isatty() and sys.stdout.isatty():
        return RichTerminal(settings, commands, intents)
    return PipeTerminal(settings)


class _Commands(Completer):
    """Completes a line that begins with `/`: commands and intents, after `/wrong ` intents."""

    def __init__(self, commands: Sequence[str], intents: Sequence[str]) -> None:
        slashed = [*commands, *(f"/{intent}" for intent in intents)]
        self._first = WordCompleter(slashed, sentence=True)
        self._intents = WordCompleter(list(intents), sentence=True, match_middle=True)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        """Completions of a command, none for an ordinary message."""
        if document.text.startswith(_WRONG):
            rest = document.text[len(_WRONG) :]
            yield from self._intents.get_completions(Document(rest), event)
        elif document.text.startswith("/"):
            yield from self._first.get_completions(document, event)


def note_truncation(terminal: Terminal, turn: Turn) -> None:
    """Say it when only the beginning of a message was read."""
    if turn.message.metadata.get("truncated_from_chars"):
        terminal.note("That message was very long: only its beginning was read.")


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    """Hand over the lines of standard input one by one, then None.

    A stream of its own on the descriptor: `sys.stdin` held by a thread would make the
    interpreter's shutdown fail.
    """
    with suppress(RuntimeError, OSError):  # the loop is closed, or nothing stands behind the stream
        with open(os.dup(0), encoding="utf-8", errors="replace", newline="\n") as stream:
            for line in stream:
                asyncio.run_coroutine_threadsafe(lines.put(line.rstrip("\r\n")), loop).result()
        asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()


def _open_history(path: Path | None) -> FileHistory | InMemoryHistory:
    """The lines of earlier sessions; without a writable folder only this session's."""
    place = path or home() / "chat_history"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(place))


def _write(lines: Sequence[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def _plain_console() -> Iterator[Console]:
    yield Console(file=sys.stdout, no_color=True, highlight=False, width=120)
    sys.stdout.flush()
