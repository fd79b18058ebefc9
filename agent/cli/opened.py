"""The store and the feedback of a project, opened for one command."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from agent.feedback.service import Feedback
from agent.settings import load_settings
from agent.storage import opening
from agent.storage.store import Store

T = TypeVar("T")


@asynccontextmanager
async def open_store(root: Path, *, require: bool = True) -> AsyncIterator[Store]:
    """The project's store with its spool, as its settings say.

    Raises:
        StoreError: it is away (only with `require`) or refuses us.
    """
    store = await opening.open_store(root, load_settings(root).store, require=require)
    async with store:
        yield store


def with_feedback(
    root: Path, work: Callable[[Feedback], Awaitable[T]], *, require: bool = True
) -> T:
    """Run a piece of work with the project's feedback.

    Args:
        root: the project's folder.
        work: what to do.
        require: raise if Redis is away; else corrections go to the spool then.
    """

    async def run() -> T:
        settings = load_settings(root).feedback
        async with open_store(root, require=require) as store:
            masking, names = settings.mask_personal_data, settings.names
            return await work(Feedback(store, masking=masking, names=names))

    return asyncio.run(run())
