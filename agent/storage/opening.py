"""Opens a project's store and spool as its settings say."""

import re
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from agent.errors import StoreError
from agent.settings import StoreSettings
from agent.storage.embedded import EMBEDDED_FOLDER, EmbeddedServer
from agent.storage.files import FileLock, write_whole
from agent.storage.keys import DAY_S, Lifetimes
from agent.storage.spool import Spool
from agent.storage.store import Store

ID_FILE = "project-id"
_ASSISTANT_ID = re.compile(r"^assistant_id:[ \t]*([^#\n]+)", re.MULTILINE)


async def open_store(root: Path, settings: StoreSettings, *, require: bool = True) -> Store:
    """The store of a project, with its spool beside it.

    Args:
        root: the project's folder.
        settings: where it is and how long things are kept.
        require: raise when Redis is away; else it is tried again with each command.

    Raises:
        StoreError: it cannot be reached (an embedded server always must), or refuses us.
    """
    lifetimes = Lifetimes(
        events_s=int(settings.conversation_days * DAY_S),
        turns_s=int(settings.turn_log_days * DAY_S),
        turns_length=settings.turn_log_length,
    )
    embedded = settings.url.startswith("embedded:")
    _keep_from_git(root / ".agent")
    return await Store.open(
        settings.url,
        root,
        project_id=settings.project or (None if embedded else project_id(root)),
        spool=Spool(root / ".agent" / "spool"),
        require=require or embedded,
        lifetimes=lifetimes,
    )


def has_store(root: Path, settings: StoreSettings) -> bool:
    """Whether there may be anything in a project's store: an embedded one begins empty."""
    return not settings.url.startswith("embedded:") or (root / EMBEDDED_FOLDER).is_dir()


def check_folder(root: Path, settings: StoreSettings) -> None:
    """See whether the project's folder can hold its store, before anything is begun.

    Raises:
        StoreError: the store is embedded and its folder cannot be written.
    """
    if settings.url.startswith("embedded:"):
        EmbeddedServer(root / EMBEDDED_FOLDER).check()


def project_id(root: Path) -> str:
    """What separates a project from others on one Redis server, wherever its folder lies.

    Raises:
        StoreError: there is no `assistant_id` and the folder cannot be written.
    """
    named = _assistant_id(root)
    if named:
        return named
    path = root / ".agent" / ID_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.is_file():
                write_whole(path, uuid4().hex + "\n")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}; set store.project or `assistant_id` in "
            "config.yml, which separate projects on one Redis server"
        ) from error


def _keep_from_git(folder: Path) -> None:
    """What users wrote and the key that signs for them are not committed with the project."""
    mark = folder / ".gitignore"
    with suppress(OSError):  # a folder that cannot be written is spoken of where it is needed
        folder.mkdir(exist_ok=True)
        if not mark.exists():
            write_whole(mark, "*\n")


def _assistant_id(root: Path) -> str:
    for name in ("config.yml", "config.yaml"):
        try:
            text = (root / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        found = _ASSISTANT_ID.search(text)
        if found:
            return found[1].strip().strip("'\"")
    return ""
