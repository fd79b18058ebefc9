"""Keeps a server's knowledge index in step with its documents while it serves."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from agent.settings import KnowledgeSettings
from knowledge.errors import AgentError

# After an indexing that failed (a full disk, a broken settings file) it is tried so much later.
_PATIENCE = 12
_NICE = 10
_log = logging.getLogger(__name__)
Index = Callable[[Path], Awaitable[bool]]


async def keep_indexed(root: Path, settings: KnowledgeSettings, index: Index | None = None) -> None:
    """Look at the documents every `watch_s` seconds, and index what changed; runs for ever.

    An index of another encoder or of earlier rules is made again once.

    Indexing is a child process, so that answers do not wait for it; retrievers that are open
    take up what it wrote. `index` does it, and says whether it could.
    """
    if not settings.watch_s or not (root / "knowledge").is_dir():
        return
    index, pause_s = index or _index, settings.watch_s
    # Encoder and rules cannot change while we serve: they are compared until the index is right.
    rules = True
    while True:
        await asyncio.sleep(pause_s)
        pause_s = settings.watch_s
        if await asyncio.to_thread(_changed, root, settings, rules) and not await index(root):
            pause_s = _PATIENCE * settings.watch_s
        else:
            rules = False


def _changed(root: Path, settings: KnowledgeSettings, rules: bool) -> bool:
    # faiss and its kin are loaded by the first look, not by the start of the server.
    from knowledge.open_project import files_changed, made_otherwise

    options = settings.options()
    try:
        return files_changed(root, options) or (rules and made_otherwise(root, options))
    except AgentError as error:
        _log.debug("the index is made, or made again: %s", error)
        return True


async def _index(root: Path) -> bool:
    command = [sys.executable, "-m", "agent", "knowledge", "index", "--project", str(root)]
    started = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    with suppress(OSError, AttributeError):  # it ended already, or this is Windows
        os.setpriority(os.PRIO_PROCESS, started.pid, _NICE)
    try:
        said = (await started.communicate())[0].decode(errors="replace").strip()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            started.terminate()
        raise
    if started.returncode:
        _log.error("the documents changed and cannot be indexed: %s", said[-500:])
        return False
    _log.info("the documents changed: %s", said.splitlines()[-1] if said else "indexed")
    return True
