"""Runs a project's own actions in a child process of ours, restarted when it hangs or crashes."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from agent.actions.pending import Call, ProcessGone
from agent.actions.process import ActionProcess
from agent.actions.types import ActionRejected, ActionServerReply
from agent.errors import ActionError

_log = logging.getLogger(__name__)
# A call may wait for others to end for as many time-outs before it is given up.
_PATIENCE = 3
_CANCEL_GRACE_S = 0.5
_LOOK_EVERY_S = 0.5


@dataclass(slots=True)
class LocalActions:
    """The actions in a project's `actions/` folder or `actions.py`.

    The process starts with the first call (or `start`), in the project's folder, which
    stands first on its path. Calls may overlap; actions that are not async run one at a
    time, in the order of the calls, as on a rasa-sdk server. When the project's Python files
    change, the next call that finds the process idle gets a new one.

    Args:
        project_root: the project's folder.
        timeout_s: seconds that one action may run before it counts as hung.
        start_timeout_s: seconds that importing the project's modules may take.
        module: the module that holds the actions.
    """

    project_root: Path
    timeout_s: float = 10.0
    start_timeout_s: float = 60.0
    module: str = "actions"
    _process: ActionProcess | None = None
    _code: frozenset[tuple[str, int, int]] = frozenset()
    _looked_at: float = 0.0
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def available(self) -> bool:
        """Whether the project has actions at all."""
        root = self.project_root
        return (root / self.module).is_dir() or (root / f"{self.module}.py").is_file()

    async def start(self) -> None:
        """Start the process now, so that the first call need not wait for it.

        Raises:
            ActionError: the project's actions cannot be imported.
        """
        await self._running(self.module)

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        """Run an action on a tracker's state; `tracker["events"]` only ever grows at its end.

        Raises:
            ActionRejected: the action declined to run.
            ActionError: it failed, hung, crashed its process, or is unknown.
        """
        while True:
            process = await self._running(name)
            call = process.send(name, tracker, domain)
            try:
                return self._read(name, await self._wait(process, call))
            except ProcessGone as gone:
                if call.started:
                    raise ActionError(name, str(gone)) from gone
                # It never began, so running it in a new process is safe.

    async def names(self) -> list[str]:
        """The names of the project's actions; none if it has no `actions`."""
        return list((await self._running(self.module)).actions) if self.available else []

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            await process.close()

    async def _running(self, name: str) -> ActionProcess:
        """The live process, started if there is none."""
        async with self._starting:
            if self._process is not None and self._process.alive and not self._is_outdated():
                return self._process
            await self.close()
            if not self.available:
                raise ActionError(
                    name,
                    f"{self.project_root} has no {self.module}/ folder and no {self.module}.py; "
                    "write the action there, or set action_endpoint in endpoints.yml",
                )
            self._code = self._files()
            self._process = await ActionProcess.start(
                self.project_root, self.module, name, self.start_timeout_s
            )
            return self._process

    def _is_outdated(self) -> bool:
        """Whether the project's code changed, and no action runs that would be cut off."""
        now = monotonic()
        if now - self._looked_at < _LOOK_EVERY_S:
            return False
        self._looked_at = now
        idle = self._process is not None and self._process.idle
        return idle and self._files() != self._code

    def _files(self) -> frozenset[tuple[str, int, int]]:
        """The Python files that the actions may consist of, each with its time and size."""
        root = self.project_root
        found = [*root.glob("*.py"), *(root / self.module).rglob("*.py")]
        facts = []
        for path in found:
            with suppress(OSError):  # removed just now
                stat = path.stat()
                facts.append((str(path), stat.st_mtime_ns, stat.st_size))
        return frozenset(facts)

    async def _wait(self, process: ActionProcess, call: Call) -> dict[str, Any]:
        """The process's answer to a call, in time."""
        try:
            return await self._in_time(process, call)
        finally:
            # Left early (a time-out, a cancelled turn): what still waits must not run later.
            if not call.answer.done():
                process.drop(call)

    async def _in_time(self, process: ActionProcess, call: Call) -> dict[str, Any]:
        patience = self.timeout_s * _PATIENCE
        if not await call.wait_begun(patience):
            raise ActionError(
                call.action, f"did not begin within {patience:g} s: other actions are still running"
            )
        try:
            return await asyncio.wait_for(asyncio.shield(call.answer), self.timeout_s)
        except TimeoutError as error:
            await self._stop(process, call)
            message = f"did not end within {self.timeout_s:g} s and was stopped"
            raise ActionError(call.action, message) from error

    async def _stop(self, process: ActionProcess, call: Call) -> None:
        """Cancel a call that hangs; if it does not yield, end its whole process."""
        process.cancel(call)
        done, _ = await asyncio.wait([call.answer], timeout=_CANCEL_GRACE_S)
        if not done:
            process.kill(f"was cut off because the action {call.action!r} hung")
        else:
            # Whatever it answered comes too late; asking marks a failure as seen.
            call.answer.exception()

    def _read(self, name: str, answer: Mapping[str, Any]) -> ActionServerReply:
        """An answer as a reply, or as the error that it tells."""
        if answer["type"] == "done":
            return ActionServerReply(tuple(answer["events"]), tuple(answer["responses"]))
        if answer["type"] == "rejected":
            raise ActionRejected(str(answer["action"]), str(answer["message"]))
        if answer["error"] == "unknown":
            known = ", ".join(self._process.actions) if self._process else ""
            raise ActionError(
                name, f"is not among the project's actions; there are: {known or 'none'}"
            )
        if answer["traceback"]:
            _log.error("action %s failed\n%s", name, answer["traceback"].rstrip())
        raise ActionError(name, f"failed: {answer['error']}")


__all__ = ["LocalActions"]
