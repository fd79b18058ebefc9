"""Where the log goes: standard error, or a file while a person is at the terminal."""

import logging
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr(level: str) -> None:
    """Write the log to standard error from `level` on."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")


def log_to_file(level: str, file: Path) -> None:
    """Append the log to a file, so that it does not run into a conversation on the screen.

    A folder that cannot be written loses the log, not the conversation.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.FileHandler(file, encoding="utf-8")
    except OSError:
        handler = logging.NullHandler()
    logging.basicConfig(level=level.upper(), format=FORMAT, handlers=[handler])
