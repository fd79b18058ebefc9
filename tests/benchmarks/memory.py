"""A server under half its load for a long time: does its memory stay flat?"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

from agent.settings import load_settings
from agent.storage.opening import open_store
from knowledge.project_folder import bundled_assistant
from tests.benchmarks.messages import distinct_messages
from tests.benchmarks.serve import load, started

CLIENTS = 8
PIECE = 200
WARM_UP_PIECES = 10


def run(data: Path) -> dict[str, float]:
    """Resident memory of the server early and late, at half of what it can do.

    Lasts INTENT_AGENT_SOAK_S seconds (60 unless set; 1800 for the stated soak). After each
    piece of work as long a pause is made. Conversations are new ones all the time. `growth_mb`
    is the difference between the medians of the first and the last quarter of the readings
    after warming up.
    """
    length_s = float(os.environ.get("INTENT_AGENT_SOAK_S", "60"))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bank"
        shutil.copytree(bundled_assistant(), root)
        command = [sys.executable, "-m", "agent", "train", "--method", "head"]
        subprocess.run([*command, "--project", str(root)], check=True, stdout=subprocess.DEVNULL)
        return asyncio.run(_soak(root, data, length_s, cores[0]))


async def _soak(root: Path, data: Path, length_s: float, core: int) -> dict[str, float]:
    async with await open_store(root, load_settings(root).store):
        command = ["agent", "serve", "--no-worker", "--project", str(root)]
        with started(command, core) as (port, pid, _):
            end = monotonic() + length_s
            sizes: list[float] = []
            turns = errors = 0
            while monotonic() < end:
                begun = monotonic()
                texts = distinct_messages(data, PIECE, seed=len(sizes))
                taken, wrong = await load(port, texts, CLIENTS, name=f"soak-{len(sizes)}")
                turns, errors = turns + len(taken), errors + wrong
                sizes.append(_resident_mb(pid))
                await asyncio.sleep(monotonic() - begun)
    steady = sizes[WARM_UP_PIECES:] or sizes
    quarter = max(1, len(steady) // 4)
    early, late = sorted(steady[:quarter]), sorted(steady[-quarter:])
    return {
        "length_s": length_s,
        "turns": turns,
        "errors": errors,
        "early_mb": round(early[len(early) // 2], 1),
        "late_mb": round(late[len(late) // 2], 1),
        "growth_mb": round(late[len(late) // 2] - early[len(early) // 2], 1),
    }


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel does not tell the resident memory")
