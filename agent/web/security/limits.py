"""Rate limits, shared by all processes through Redis.  [door: limits]"""

import logging
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from agent.errors import AgentError
from agent.storage.store import Store

_log = logging.getLogger(__name__)


class TooManyError(AgentError):
    """Somebody asks for more than is allowed.

    Args:
        retry_after_s: whole seconds until the next try may succeed.
    """

    def __init__(self, what: str, retry_after_s: int = 60) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many {what}: try again in {retry_after_s} s")


@dataclass(slots=True)
class RateLimits:
    """Counts by the minute. While Redis is away each process counts for itself."""

    shared: Storage
    prefix: str
    own: Storage
    owns_connections: bool = False

    async def hit(self, what: str, who: str, per_minute: int) -> None:
        """Count one; 0 a minute means no limit.

        Raises:
            TooManyError: more than `per_minute` within the present minute.
        """
        if per_minute <= 0:
            return
        item = RateLimitItemPerMinute(per_minute, namespace=self.prefix)
        try:
            allowed = await FixedWindowRateLimiter(self.shared).hit(item, what, who)
        # Each storage has errors of its own, without a common base.
        except Exception as error:
            _log.warning("limits are counted in this process: %s", error)
            allowed = await FixedWindowRateLimiter(self.own).hit(item, what, who)
        if not allowed:
            raise TooManyError(what)

    async def close(self) -> None:
        """Close the connections that are not the store's."""
        if self.owns_connections:
            bridge: Any = getattr(self.shared, "bridge", None)
            await bridge.storage.aclose()


def open_limits(store: Store) -> RateLimits:
    """The limits of a store's project, on the store's own connections (a Cluster has others)."""
    connection, keys = store.connection, store.keys
    pool = getattr(connection.client, "connection_pool", None)
    options: dict[str, Any] = {"implementation": "redispy"}
    if pool is not None:
        # The address is not used: connections come from the pool.
        url, options["connection_pool"] = "redis://localhost:6379", pool
    else:
        url = connection.url.replace("rediss+", "redis+", 1)
        options["ssl"] = connection.url.startswith("rediss+")
    shared: Any = storage_from_string(f"async+{url}", **options)
    prefix = f"{keys.prefix}:limits:{keys.project}"
    return RateLimits(shared, prefix, MemoryStorage(), owns_connections=pool is None)
