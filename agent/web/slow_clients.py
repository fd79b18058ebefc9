"""Closes connections whose request does not end, or whose headers do not."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_S = 20.0
HEAD_BYTES = 64_000


class PatientProtocol(HttpToolsProtocol):
    """HTTP that waits so long for a whole request and takes so much before its body."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._head: int | None = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request, unless its head has grown too large."""
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES + self._body_allowance(data):
                self._close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins: it must be whole in time."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """The head is there; its body is bounded elsewhere."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._stop()
        self._head = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """A WebSocket has limits of its own."""
        self._stop()
        super().handle_websocket_upgrade()

    @staticmethod
    def _body_allowance(data: bytes) -> int:
        """One piece may hold a head and the beginning of its body."""
        end = data.find(b"\r\n\r\n")
        return len(data) - end if end >= 0 else 0

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(REQUEST_S, self._close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._stop()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
