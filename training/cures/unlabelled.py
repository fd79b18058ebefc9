"""Texts without labels: lines of files, or what users wrote to the agent."""

import asyncio
import json
from pathlib import Path
from typing import Any

from agent.registry import mark_of
from agent.storage.store import Store
from training.errors import InputError

_PIECE = 500
_MOST = 200_000


def read_texts(path: Path) -> list[str]:
    """The texts of a file: one a line, or JSON lines with `text`; empty lines are skipped.

    Raises:
        InputError: it cannot be read, or a line of JSON has no text.
    """
    try:
        lines = path.read_text("utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error
    found = []
    for number, line in enumerate(lines[:_MOST], start=1):
        text = _text(line, path, number) if line.lstrip().startswith("{") else line
        if text.strip():
            found.append(text.strip())
    return found


def logged_texts(root: Path) -> tuple[list[str], list[str]]:
    """What users wrote, from the project's turn log, newest first; no commands, no text twice.

    The second list holds marks of the conversations that they are from (see `mark_of`).

    Raises:
        AgentError: the store cannot be reached.
    """
    from agent.cli.opened import open_store

    async def read() -> tuple[list[str], list[str]]:
        async with open_store(root) as store:
            return await _logged(store)

    return asyncio.run(read())


async def _logged(store: Store) -> tuple[list[str], list[str]]:
    found: dict[str, None] = {}
    conversations: set[str] = set()
    after: str | None = None
    while len(found) < _MOST and (turns := await store.turns(limit=_PIECE, after=after)):
        after = str(turns[-1]["position"])
        for message in (turn["message"] for turn in turns):
            text = str(message["text"]).strip()
            if text and not text.startswith("/"):
                found[text] = None
                conversations.add(mark_of(str(message.get("conversation_id", ""))))
    return list(found), sorted(conversations)


def _text(line: str, path: Path, number: int) -> str:
    try:
        text: Any = json.loads(line).get("text")
    except ValueError as error:
        raise InputError(f"is no JSON object: {error}", path=path, line=number) from error
    if not isinstance(text, str):
        raise InputError("has no text", path=path, line=number)
    return text
