"""The action process: runs a project's own actions; started by file path, imports none of ours.

`child.py FD MODULE` speaks frames (a 4-byte big-endian length, then JSON) over the inherited
socket FD. It answers `ready` or `failed` once, then `started` and one of `done`, `rejected`,
`error`, `resend` for each call. It ends when the socket closes, whatever an action is doing.
"""

import asyncio
import importlib
import json
import os
import socket
import struct
import sys
import threading
import time
import traceback
from collections import OrderedDict
from typing import Any

from rasa_sdk.executor import ActionExecutor
from rasa_sdk.interfaces import ActionExecutionRejection, ActionNotFoundException

_CACHED_EVENTS = 20_000  # some 3 kB each
_LAST_WORDS_S = 2.0


class Channel:
    """Frames over a blocking socket; sending is safe from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._stream = sock.makefile("rb")
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write one frame; raises TypeError or ValueError if the message is not JSON."""
        body = json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
        with self._lock:
            self._sock.sendall(struct.pack(">I", len(body)) + body)

    def receive(self) -> dict[str, Any] | None:
        """Read one frame; None when the other side is gone."""
        try:
            head = self._stream.read(4)
            body = self._stream.read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""
        except OSError:
            return None
        message: dict[str, Any] | None = json.loads(body) if body else None
        return message


class Histories:
    """The events of recent conversations, so that each call brings only the new ones."""

    def __init__(self, limit: int = _CACHED_EVENTS) -> None:
        self._limit, self._size = limit, 0
        self._events: OrderedDict[str, list[Any]] = OrderedDict()

    def extend(self, sender: str, known: int, new: list[Any]) -> list[Any] | None:
        """The conversation's events with the new ones; None if `known` of them are not here."""
        held = self._events.pop(sender, [])
        self._size -= len(held)
        if len(held) < known:
            return None
        events = held[:known] if len(held) > known else held
        events.extend(new)
        self._events[sender] = events
        self._size += len(events)
        while self._size > self._limit and len(self._events) > 1:
            self._size -= len(self._events.popitem(last=False)[1])
        return list(events)


class Runner:
    """Runs calls as they come: async actions side by side, others one at a time."""

    def __init__(self, channel: Channel, executor: ActionExecutor) -> None:
        self._channel, self._executor = channel, executor
        self._histories = Histories()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._domain: dict[str, Any] = {}

    def accept(self, message: dict[str, Any]) -> None:
        """Start a call, or cancel one."""
        if "cancel" in message:
            if task := self._tasks.get(message["cancel"]):
                task.cancel()
            return
        task = asyncio.ensure_future(self._run(message))
        self._tasks[message["id"]] = task
        task.add_done_callback(lambda _: self._tasks.pop(message["id"], None))

    async def _run(self, message: dict[str, Any]) -> None:
        call_id = message["id"]
        # Set on the executor, too: for an empty domain it falls back to the one it holds.
        self._executor.domain = self._domain = message.get("domain", self._domain)
        events = self._histories.extend(message["sender_id"], message["known"], message["events"])
        if events is None:
            self._channel.send({"type": "resend", "id": call_id})
            return
        self._channel.send({"type": "started", "id": call_id})
        tracker = {**message["tracker"], "events": events}
        answer = await self._answer({**message, "tracker": tracker, "domain": self._domain})
        try:
            self._channel.send({**answer, "id": call_id})
        except (TypeError, ValueError) as error:
            what = f"gave events or messages that are not JSON: {error}"
            self._channel.send({"type": "error", "id": call_id, "error": what, "traceback": ""})

    async def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            result = await self._executor.run(call)
        except ActionExecutionRejection as rejection:
            name = rejection.action_name
            return {"type": "rejected", "action": name, "message": str(rejection.message)}
        except ActionNotFoundException:
            return {"type": "error", "error": "unknown", "traceback": ""}
        except asyncio.CancelledError:
            return {"type": "error", "error": "was cancelled", "traceback": ""}
        except BaseException as error:
            # SystemExit, too: an action that calls sys.exit() must not end the others.
            return {"type": "error", **describe(error)}
        return {"type": "done", "events": result.events, "responses": result.responses}


def describe(error: BaseException) -> dict[str, str]:
    """The error in one line with its place in the project, and its whole traceback."""
    last = traceback.format_exception_only(error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    root = os.getcwd() + os.sep
    own = [frame for frame in frames if frame.filename.startswith(root)]
    place = f" ({own[-1].filename.removeprefix(root)}, line {own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({error.filename.removeprefix(root)}, line {error.lineno})"
    return {"error": last + place, "traceback": "".join(traceback.format_exception(error))}


def load_actions(module: str) -> ActionExecutor:
    """An executor with the project's actions; raises whatever importing them raises."""
    sys.path.insert(0, os.getcwd())
    executor = ActionExecutor()
    importlib.import_module(module)
    try:
        executor.register_package(module)
    except SystemExit as stop:
        # The SDK logs an ImportError of a submodule and exits; the reason is its context.
        raise stop.__context__ or stop from None
    return executor


def _listen(channel: Channel, loop: asyncio.AbstractEventLoop, runner: Runner) -> None:
    """Pass messages to the loop until the socket closes, then end the process."""
    while (message := channel.receive()) is not None:
        loop.call_soon_threadsafe(runner.accept, message)
    loop.call_soon_threadsafe(loop.stop)
    # An action that blocks keeps the loop from stopping: nobody waits for it any more.
    time.sleep(_LAST_WORDS_S)
    os._exit(1)


def main(argv: list[str]) -> None:
    """Load the actions, say so, and run calls until the socket closes."""
    descriptor, module = int(argv[1]), argv[2]
    os.set_inheritable(descriptor, False)
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        executor = load_actions(module)
    except BaseException as error:
        channel.send({"type": "failed", **describe(error)})
        return
    channel.send({"type": "ready", "actions": sorted(executor.actions)})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    runner = Runner(channel, executor)
    threading.Thread(target=_listen, args=(channel, loop, runner), daemon=True).start()
    loop.run_forever()


if __name__ == "__main__":
    main(sys.argv)
