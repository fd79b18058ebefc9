"""An OpenAI-compatible server on loopback that answers from a script."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def chunk(text: str, finish: str | None = None) -> bytes:
    """One event of a streamed answer."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


def streamed(text: str) -> list[bytes]:
    """A whole answer, a word at a time."""
    return [HEAD, *(chunk(word + " ") for word in text.split(" ")), DONE]


@dataclass
class ModelServer:
    """Gives each request the next list of pieces, the last one again and again."""

    answers: list[list[bytes]] = field(default_factory=list)
    requests: list[tuple[bytes, Any]] = field(default_factory=list)
    pause_s: float = 0.0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.requests.append((head, json.loads(await reader.readexactly(length))))
            pieces = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(self.pause_s)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def model_server(*answers: list[bytes], pause_s: float = 0.0) -> AsyncIterator[ModelServer]:
    """A running server."""
    scripted = ModelServer(list(answers), pause_s=pause_s)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    async with server:
        yield scripted
