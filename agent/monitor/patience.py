"""Waits while Redis is away: a monitor goes on by itself when it is back."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agent.storage.connection import StoreAwayError

T = TypeVar("T")

_PAUSE_S = 2.0
_log = logging.getLogger(__name__)


async def patiently(
    work: Callable[[], Awaitable[T]],
    *,
    patience_s: float = float("inf"),
) -> T:
    """The result of a piece of work, tried again while Redis does not answer; told of once.

    Args:
        work: may be done twice, because an answer can be lost.
        patience_s: how long in all; 0 tries once.

    Raises:
        StoreAwayError: it was away for longer.
    """
    begun, told = time.monotonic(), False
    while True:
        try:
            result = await work()
        except StoreAwayError as error:
            if time.monotonic() - begun >= patience_s:
                raise
            if not told:
                _log.warning("waiting: %s", error)
            told = True
            await asyncio.sleep(_PAUSE_S)
            continue
        if told:
            _log.warning("Redis is back after %.0f s", time.monotonic() - begun)
        return result
