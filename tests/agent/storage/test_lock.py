"""Two real processes and one conversation."""

import subprocess
import sys
from pathlib import Path

import pytest

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
