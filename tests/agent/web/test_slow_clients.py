import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvicorn

from agent.web import slow_clients
from agent.web.slow_clients import HEAD_BYTES, PatientProtocol
from tests.agent.web.serving import serving

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def connected(
    root: Path,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A raw connection to a real server."""
    async with serving(root) as served:
        config = uvicorn.Config(
            served.app, port=0, http=PatientProtocol, log_config=None, lifespan="off"
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = True
            await task


async def test_a_client_that_never_ends_its_request_is_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_clients, "REQUEST_S", 0.2)
    async with connected(tmp_path) as (reader, writer):
        writer.write(REQUEST[:-2])
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_client_that_never_ends_its_body_is_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_clients, "REQUEST_S", 0.2)
    async with connected(tmp_path) as (reader, writer):
        writer.write(b"POST /webhooks/rest/webhook HTTP/1.1\r\nHost: localhost\r\n")
        writer.write(b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{")
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_endless_headers_are_cut_off(tmp_path: Path) -> None:
    async with connected(tmp_path) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(HEAD_BYTES // 1000 + 2):
            writer.write(b"X-%d: " % number + b"x" * 1000 + b"\r\n")
        with suppress(ConnectionError):
            await writer.drain()
            assert await asyncio.wait_for(reader.read(), 10) == b""
        assert reader.at_eof() or reader.exception() is not None


async def test_a_connection_serves_one_request_after_the_other(tmp_path: Path) -> None:
    async with connected(tmp_path) as (reader, writer):
        for _ in range(3):
            writer.write(REQUEST)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(15) == b'{"status":"ok"}'


async def test_what_is_no_http_is_answered_with_400(tmp_path: Path) -> None:
    async with connected(tmp_path) as (reader, writer):
        writer.write(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 400")
