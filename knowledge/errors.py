"""The errors of every room.

AgentError                 what a person can understand and act on; exit code 1
└── InputError             wrong usage or bad input, with its place; exit code 2

Other rooms add their own branches in their own `errors.py`.
"""

from pathlib import Path


class AgentError(Exception):
    """Base of all errors that are shown to a person as one clear line."""

    exit_code = 1


class InputError(AgentError):
    """Bad input: what happened, the value seen, what to do, and where.

    Args:
        message: the sentence for the person.
        path: the file at fault, if any.
        line: 1-based line in it, if known.
        key: the key in it, dotted, if known.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        self.message, self.path, self.line, self.key = message, path, line, key
        super().__init__(self.place() + message)

    def place(self) -> str:
        """Where it stands, as `file:line: key: ` with the parts that are known."""
        parts = []
        if self.path is not None:
            parts.append(str(self.path) + (f":{self.line}" if self.line is not None else ""))
        if self.key:
            parts.append(self.key)
        return "".join(f"{part}: " for part in parts)
