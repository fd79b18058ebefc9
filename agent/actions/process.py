"""The parent's end of the action process: starts it, sends calls, sorts its answers."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import struct
import sys
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from agent.actions.pending import Call, ProcessGone
from agent.dialogue.events import plain_json
from agent.errors import ActionError

_log = logging.getLogger(__name__)
_CHILD = Path(__file__).with_name("child.py")
_REMEMBERED_CONVERSATIONS = 500  # some 15 kB each; others are told whole when they speak again
_REMEMBERED_EVENTS = 16
_LAST_LINES = 20
_CLOSE_TIMEOUT_S = 3.0


class ActionProcess:
    """A running action process; `start` makes one, and it is never restarted."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.actions: tuple[str, ...] = ()
        self._process, self._reader, self._writer = process, reader, writer
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, Call] = {}
        self._sent: OrderedDict[str, tuple[int, list[Any]]] = OrderedDict()
        self._domain: Mapping[str, Any] | None = None
        self._last_id = 0
        self._reason: str | None = None
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._output = asyncio.create_task(self._log_output())
        self._answers: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, root: Path, module: str, action: str, timeout_s: float) -> Self:
        """Start the process in the project's folder and wait until its actions are imported.

        Raises:
            ActionError: they cannot be imported, or not in time; `action` names who asked.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            # Its own session keeps Ctrl-C in the terminal from it and lets us end it whole.
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                str(_CHILD),
                str(theirs.fileno()),
                module,
                cwd=root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        self = cls(process, reader, writer)
        try:
            await asyncio.wait_for(self._greet(action), timeout_s)
        except TimeoutError as error:
            await self._discard()
            message = f"the project's {module} took longer than {timeout_s:g} s to import"
            raise ActionError(action, message) from error
        except BaseException:
            await self._discard()
            raise
        self._answers = asyncio.create_task(self._sort_answers())
        return self

    @property
    def alive(self) -> bool:
        """Whether calls can be sent, from the running event loop."""
        return self._reason is None and self._loop is asyncio.get_running_loop()

    @property
    def idle(self) -> bool:
        """Whether no call is under way."""
        return not self._calls

    def send(self, action: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]) -> Call:
        """Begin a call; only events that the process has not seen yet are sent."""
        self._last_id += 1
        call = Call(self._last_id, action, tracker)
        self._calls[call.id] = call
        self._send_call(call, domain)
        return call

    def cancel(self, call: Call) -> None:
        """Ask the process to cancel a call; actions that never await do not hear it."""
        self._write({"cancel": call.id})

    def drop(self, call: Call) -> None:
        """Cancel a call and ignore whatever the process still answers to it."""
        if self._calls.pop(call.id, None) is not None and self._reason is None:
            self.cancel(call)

    def kill(self, reason: str) -> None:
        """End the process and all it started, at once; open calls are told the reason."""
        self._reason = self._reason or reason
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End the process, gently if it lets us, and free what belongs to it."""
        self._reason = self._reason or "was cut off because the actions were closed"
        if self._loop is not asyncio.get_running_loop():
            self.kill(self._reason)
            return
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        await self._ended()
        await asyncio.gather(
            self._output, *([self._answers] if self._answers else []), return_exceptions=True
        )

    def _send_call(self, call: Call, domain: Mapping[str, Any]) -> None:
        sender = str(call.tracker.get("sender_id"))
        events: Sequence[Any] = call.tracker.get("events") or []
        known = _common(events, *self._sent.pop(sender, (0, [])))
        self._sent[sender] = (len(events), list(events[-_REMEMBERED_EVENTS:]))
        if len(self._sent) > _REMEMBERED_CONVERSATIONS:
            self._sent.popitem(last=False)
        message = {
            "id": call.id,
            "next_action": call.action,
            "sender_id": sender,
            "known": known,
            "events": list(events[known:]),
            "tracker": {k: v for k, v in call.tracker.items() if k != "events"},
        }
        if domain is not self._domain:
            self._domain = message["domain"] = domain
        self._write(message)

    def _write(self, message: Mapping[str, Any]) -> None:
        body = json.dumps(message, ensure_ascii=False, default=plain_json).encode()
        self._writer.write(struct.pack(">I", len(body)) + body)

    async def _read(self) -> dict[str, Any]:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        message: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        return message

    async def _greet(self, action: str) -> None:
        try:
            message = await self._read()
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await self._ended()
            raise ActionError(action, await self._epitaph("while it started")) from error
        if message["type"] == "failed":
            _log.error(
                "the project's actions cannot be imported\n%s", message["traceback"].rstrip()
            )
            raise ActionError(
                action, f"the project's actions cannot be imported: {message['error']}"
            )
        self.actions = tuple(message["actions"])

    async def _sort_answers(self) -> None:
        """Give each answer to its call until the process is gone."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._take(await self._read())
        await self._ended()
        self._reason = self._reason or await self._epitaph("while it ran")
        for call in list(self._calls.values()):
            call.finish(ProcessGone(self._reason))
        self._calls.clear()

    async def _ended(self) -> None:
        """Wait until the process is gone; a socket that closed leaves it no work to do."""
        try:
            await asyncio.wait_for(self._process.wait(), _CLOSE_TIMEOUT_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def _take(self, message: dict[str, Any]) -> None:
        call = self._calls.get(message["id"])
        if call is None:
            return
        if message["type"] == "started":
            call.begin()
        elif message["type"] == "resend":
            self._sent.pop(str(call.tracker.get("sender_id")), None)
            self._send_call(call, self._domain or {})
        else:
            del self._calls[call.id]
            call.finish(message)

    async def _log_output(self) -> None:
        """Log what actions print, a line at a time; very long lines come in pieces."""
        stream = self._process.stdout
        if stream is None:
            return
        rest = b""
        while chunk := await stream.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > 65_536:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._note(line)
        if rest:
            self._note(rest)

    def _note(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        self._last_lines.append(text)
        _log.info("action output: %s", text)

    async def _epitaph(self, when: str) -> str:
        """What is known of a process that died by itself."""
        await asyncio.wait([self._output], timeout=1.0)
        code = self._process.returncode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        words = f"; its last words: {self._last_lines[-1]}" if self._last_lines else ""
        if self._last_lines:
            _log.error("the action process died; its output:\n%s", "\n".join(self._last_lines))
        return f"the action process died {when} ({how}){words}"

    async def _discard(self) -> None:
        self.kill("could not be started")
        await self.close()


def _common(events: Sequence[Any], sent: int, last: Sequence[Any]) -> int:
    """How many events the process holds already, found by the last ones that it was sent.

    A form's calls carry events that never come to be, so the tails may differ a little.
    """
    first = sent - len(last)
    for length in range(min(sent, len(events)), first, -1):
        if events[length - 1] == last[length - 1 - first]:
            return length
    return 0


__all__ = ["ActionProcess"]
