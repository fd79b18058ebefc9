"""The server's log: one line an entry, as text or as JSON, with request ids, masked."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from agent.feedback.masking import mask

request_id: ContextVar[str] = ContextVar("request_id", default="")


class Masked(logging.Formatter):
    """What is said in an entry or an error without personal data, whoever said it."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        """Where it failed, masked."""
        return mask(super().formatException(ei)).text

    def said(self, record: logging.LogRecord) -> str:
        """The entry's message, masked."""
        return mask(record.getMessage()).text


class JsonLines(Masked):
    """One JSON object an entry: at, level, logger, message, request_id, and where it failed."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry as one line."""
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.said(record),
        }
        if identifier := request_id.get():
            entry["request_id"] = identifier
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class Lines(Masked):
    """One line an entry for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry, its request's id at the end."""
        shown = logging.makeLogRecord({**record.__dict__, "msg": self.said(record), "args": ()})
        text = super().format(shown)
        identifier = request_id.get()
        return f"{text} [{identifier}]" if identifier else text


def log_to_stderr(level: str, how: str) -> None:
    """Write the log to standard error from `level` on; `how` is text or json."""
    handler = logging.StreamHandler(sys.stderr)
    text = Lines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if how == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # They log every request and connection, with addresses and tokens in URLs.
    for name in ("uvicorn.access", "httpx", "httpx2", "engineio", "socketio"):
        logging.getLogger(name).setLevel(logging.WARNING)
