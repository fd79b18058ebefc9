"""A connection to Redis by URL: plain, TLS, Sentinel, Cluster or the embedded server."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ConstantBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from agent.errors import InputError, StoreError
from agent.storage.embedded import EMBEDDED_FOLDER, EmbeddedServer
from agent.storage.pipelined import Pipelined
from agent.storage.scripts import run_script

T = TypeVar("T")
CONNECT_S = 1.0
ANSWER_S = 3.0
_CANNOT_WRITE = (ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError, TryAgainError)
# Codes of errors that pass; within a script Redis puts them behind its own words.
_CANNOT_NOW = re.compile(
    r"(?:^|-)(OOM|READONLY|MISCONF|NOREPLICAS|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|UNBLOCKED|LOADING)\b"
)
AWAY_S = 1.0  # after a failure nobody else waits for a time-out during this time
SCHEMES = (
    "embedded:, redis://HOST:PORT/DB, rediss://…, unix://PATH, "
    "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB, redis+cluster://HOST:PORT"
)


class StoreAwayError(StoreError):
    """Redis does not answer; what must not be lost goes to the spool."""


class Connection:
    """A client that fails fast, says why in one line, and brings the embedded server back.

    Args:
        url: one of the forms in `SCHEMES`.
        client: the redis-py client.
        server: the embedded server, if the URL is `embedded:`.
    """

    def __init__(self, url: str, client: Any, server: EmbeddedServer | None = None) -> None:
        self.url, self.client, self.server = url, client, server
        self._scripts = Pipelined(client) if isinstance(client, Redis) else client
        self.greet: Callable[[], Awaitable[None]] | None = None
        self._away_until = 0.0
        self._away_reason = ""

    @classmethod
    async def open(cls, url: str, project_root: Path | None) -> "Connection":
        """Make the client; a Redis server is not asked yet, the embedded one is started.

        Raises:
            StoreError: the embedded server does not start.
        """
        server = None
        if url.startswith("embedded:"):
            if project_root is None:
                raise StoreError("store.url is embedded: but there is no project folder for it")
            server = EmbeddedServer(project_root / EMBEDDED_FOLDER)
            await asyncio.to_thread(server.ensure)
        return cls(url, make_client(url, server), server)

    async def run(self, command: Callable[[Any], Awaitable[T]]) -> T:
        """Run a command with the client; a lost embedded server is started again, once.

        Commands must bear to be run twice (they carry ids), because an answer may be lost.
        `greet` runs before the first one that reaches Redis.

        Raises:
            StoreAwayError: Redis does not answer, or cannot take writes now.
            StoreError: Redis refused the command.
        """
        if time.monotonic() < self._away_until:
            raise StoreAwayError(self._away_reason)
        try:
            try:
                return await self._try(command)
            except StoreAwayError:
                if self.server is None:
                    raise
            await asyncio.to_thread(self.server.ensure)
            return await self._try(command)
        except StoreAwayError as error:
            self._away_until = time.monotonic() + AWAY_S
            self._away_reason = str(error)
            raise

    async def script(self, script: str, keys: Sequence[str], *values: Any) -> Any:
        """What a Lua script answers; those asked for together are sent together. Raises as `run`.

        Args:
            script: one of `agent.storage.scripts`.
            keys: its KEYS.
            values: its ARGV.
        """
        return await self.run(
            lambda _: run_script(self._scripts, script, len(keys), *keys, *values)
        )

    async def _try(self, command: Callable[[Any], Awaitable[T]]) -> T:
        """One try, its errors said in our words."""
        try:
            if self.greet is not None:
                await self.greet()
                self.greet = None
            answer = await command(self.client)
        except (ConnectionError, TimeoutError, RedisClusterException, OSError) as error:
            raise self._explained(error) from error
        except RedisError as error:
            if isinstance(error, _CANNOT_WRITE) or _CANNOT_NOW.search(str(error)):
                raise self._explained(error) from error
            raise StoreError(f"Redis at {self.shown} refused: {error}") from error
        self._away_until = 0.0
        return answer

    async def close(self) -> None:
        """Close the connections and give up the hold on the embedded server."""
        pool = getattr(self.client, "connection_pool", None)
        try:
            await self.client.aclose()
            if isinstance(pool, SentinelConnectionPool):
                await pool.sentinel_manager.aclose()
        finally:
            if self.server is not None:
                await asyncio.to_thread(self.server.release)

    @property
    def away(self) -> bool:
        """Whether the last command found Redis away."""
        return self._away_until > 0.0

    def everywhere(self) -> dict[str, Any]:
        """What a command without a key needs to reach every node; nothing without a Cluster."""
        if isinstance(self.client, RedisCluster):
            return {"target_nodes": self.client.get_nodes()}
        return {}

    @property
    def shown(self) -> str:
        """The address without the password."""
        if self.server is not None:
            return str(self.server.socket)
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _explained(self, error: Exception) -> StoreAwayError:
        what = "does not answer"
        if isinstance(error, AuthenticationError):
            what = "refused the password"
        elif isinstance(error, ResponseError | BusyLoadingError):
            what = "cannot do it now"
        return StoreAwayError(f"Redis at {self.shown} {what}: {error}")


def make_client(url: str, server: EmbeddedServer | None = None) -> Any:
    """The redis-py client for a URL; nothing is sent yet.

    Raises:
        InputError: the URL has none of the known forms.
    """
    options: dict[str, Any] = {
        "decode_responses": True,
        # One entry of a foreign stream that is no UTF-8 must not stop its reader for ever.
        "encoding_errors": "replace",
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": ANSWER_S,
        # One more try mends a connection that went stale while it was idle.
        "retry": Retry(ConstantBackoff(0.01), 1, supported_errors=(ConnectionError,)),
    }
    scheme = url.partition(":")[0]
    try:
        if server is not None:
            return Redis(unix_socket_path=str(server.socket), **options)
        if scheme in ("redis", "rediss", "unix"):
            return Redis.from_url(url, **options)
        if scheme in ("redis+cluster", "rediss+cluster"):
            return RedisCluster.from_url(url.replace("+cluster", "", 1), **options)
        if scheme in ("redis+sentinel", "rediss+sentinel"):
            return _sentinel_client(url, options)
    except (ValueError, RedisClusterException) as error:
        wrong = f"{url!r} is wrong: {error}; known forms: {SCHEMES}"
        raise InputError(wrong, key="store.url") from error
    raise InputError(f"{url!r} has an unknown form; known: {SCHEMES}", key="store.url")


def _sentinel_client(url: str, options: Mapping[str, Any]) -> Any:
    """The client of the master that the Sentinels name.

    The password of the URL is the master's; `?sentinel_password=` is the Sentinels' own.
    """
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise ValueError("hosts and the service's name are needed")
    master: dict[str, Any] = dict(options)
    master.update(
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(database or 0),
        ssl=parts.scheme.startswith("rediss"),
    )
    own = {"socket_timeout": ANSWER_S, "socket_connect_timeout": CONNECT_S}
    given = parse_qs(parts.query).get("sentinel_password", [None])[0]
    sentinels = [_host(part) for part in hosts.split(",")]
    watch: Any = Sentinel(  # type: ignore[no-untyped-call]  # redis-py lacks the annotation
        sentinels, sentinel_kwargs={**own, "password": given}, **master
    )
    return watch.master_for(service)


def _host(part: str) -> tuple[str, int]:
    """`host:port` (port 26379 if none is given), IPv6 in brackets."""
    host, colon, port = part.rpartition(":")
    if not colon or part.endswith("]"):
        host, port = part, "26379"
    return host.strip("[]"), int(port)
