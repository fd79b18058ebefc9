"""`agent chat --script FILE`: a conversation from a file, with what the answers must hold."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.cli.terminal import PipeTerminal
from agent.cli.view import plain_lines
from agent.errors import AgentError, InputError
from agent.turn import Turn

EXPECTED = "= "


@dataclass(slots=True)
class ScriptTerminal(PipeTerminal):
    """Says the lines of a script; `= TEXT` must stand in the answer to the line before it.

    Empty lines and lines that begin with `#` are passed over.

    Args:
        path: the script, UTF-8.
    """

    path: Path
    failed: int = 0
    _heard: list[str] = field(default_factory=list)

    async def lines(self) -> AsyncIterator[str]:
        """The messages and commands, one by one; expectations are checked between them."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error
        for number, line in enumerate(text.splitlines(), 1):
            if line.startswith(EXPECTED):
                self._check(number, line.removeprefix(EXPECTED).strip())
            elif line.strip() and not line.startswith("#"):
                self._heard = []
                yield line

    def show(self, turn: Turn) -> list[str]:
        """Write the replies' lines, and keep them for what is expected of them."""
        self._heard += plain_lines(turn.replies, sources=True)
        return PipeTerminal.show(self, turn)

    def error(self, text: str) -> None:
        """A line on standard error; the script has failed."""
        self.failed += 1
        self.note(text)

    def finish(self) -> None:
        """Say whether all went as expected.

        Raises:
            AgentError: it did not.
        """
        if self.failed:
            raise AgentError(f"{self.path}: {self.failed} of its lines failed; see above")

    def _check(self, number: int, wanted: str) -> None:
        if not any(wanted in line for line in self._heard):
            said = " | ".join(self._heard) or "nothing"
            self.error(f"{self.path}:{number}: expected {wanted!r}, the answer was: {said}")
