"""Opens a project's store and spool as its settings say."""

from pathlib import Path

from agent.settings import StoreSettings
from agent.storage.keys import DAY_S, Lifetimes
from agent.storage.spool import Spool
from agent.storage.store import Store


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
    return await Store.open(
        settings.url,
        root,
        spool=Spool(root / ".agent" / "spool"),
        require=require or settings.url.startswith("embedded:"),
        lifetimes=lifetimes,
    )
