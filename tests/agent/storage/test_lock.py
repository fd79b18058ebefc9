"""Two real processes and one conversation."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent.storage.keys import Lifetimes
from agent.storage.store import Store

HOLDER = """
import asyncio, sys
from pathlib import Path
from agent.storage.store import Store

async def main(root, rounds):
    shared = root / "number"
    async with await Store.open("embedded:", root) as store:
        for _ in range(rounds):
            async with store.lock("c"):
                number = int(shared.read_text())
                await asyncio.sleep(0.002)
                shared.write_text(str(number + 1))

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize("processes", [3])
def test_messages_of_one_conversation_never_run_at_once(tmp_path: Path, processes: int) -> None:
    (tmp_path / "number").write_text("0")
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "20"]
    started = [subprocess.Popen(command) for _ in range(processes)]
    assert [one.wait(60) for one in started] == [0] * processes
    assert (tmp_path / "number").read_text() == str(20 * processes)


async def test_a_turn_ends_though_the_renewal_of_its_lease_missed_its_cancellation(
    tmp_path: Path,
) -> None:
    async with await Store.open("embedded:", tmp_path, lifetimes=Lifetimes(lease_s=0.03)) as store:
        asked = asyncio.Event()
        run = store.connection.run

        async def deaf(command: Any) -> Any:
            """As wait_for of Python 3.11 does it when an answer and a cancellation meet."""
            asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)
            return await run(command)

        async with asyncio.timeout(10):
            async with store.lock("c1"):
                store.connection.run = deaf  # type: ignore[method-assign]
                await asked.wait()
            store.connection.run = run  # type: ignore[method-assign]
