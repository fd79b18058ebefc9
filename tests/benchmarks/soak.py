"""The server under half its load for half an hour: does its memory stay flat?"""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import mean, quantiles
from time import perf_counter

from tests.benchmarks.http_clients import answered, exchange
from tests.benchmarks.messages import distinct_messages
from tests.benchmarks.serve import TURNS_OF_A_CONVERSATION, assistant_with_corrections, started

MINUTES = float(os.environ.get("INTENT_AGENT_SOAK_MINUTES", "30"))
TURNS_S = float(os.environ.get("INTENT_AGENT_SOAK_TURNS_S", "80"))
CLIENTS = 16
SAMPLED_S = 10.0
WARM_MINUTES = 5.0


def run(data: Path) -> dict[str, float]:
    """Memory after the first minutes and at the end, latency and errors.

    The clients send `TURNS_S` messages a second, each conversation five turns. Memory is the
    server's resident set; `grown_mb` is how much more it is in the last tenth of the time than
    in the tenth after the first five minutes (a sixth of a shorter run), when caches are full.
    """
    cores = sorted(os.sched_getaffinity(0))
    own, server = cores[-1], cores[0]
    os.sched_setaffinity(0, {own})
    with tempfile.TemporaryDirectory() as folder:
        root = asyncio.run(assistant_with_corrections(Path(folder) / "bank"))
        command = ["agent", "serve", "--no-worker", "--project", str(root)]
        with started(command, server) as (port, pid, _):
            texts = distinct_messages(data, 4000)
            return asyncio.run(_soak(port, pid, texts))


async def _soak(port: int, pid: int, texts: Sequence[str]) -> dict[str, float]:
    end = perf_counter() + 60 * MINUTES
    taken: list[float] = []
    errors: list[int] = []
    numbered = enumerate(cycle(texts))

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = perf_counter() + number / TURNS_S
        while due < end:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            turn, text = next(numbered)
            # Each round through the texts asks something else.
            message = text if turn < len(texts) else f"{text} {turn // len(texts)}"
            sender = f"soak-{number}-{turn // (CLIENTS * TURNS_OF_A_CONVERSATION)}"
            body = json.dumps({"sender": sender, "message": message}).encode()
            begun = perf_counter()
            status, answer = await exchange(reader, writer, "/webhooks/rest/webhook", body)
            taken.append((perf_counter() - begun) * 1000)
            if status != 200 or not answered(answer):
                errors.append(status)
            due = max(due + CLIENTS / TURNS_S, perf_counter() - 1.0)
        writer.close()

    memory = asyncio.create_task(_memory(pid, end))
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return {**_growth(await memory), **_latency(taken), "errors": len(errors)}


async def _memory(pid: int, end: float) -> list[float]:
    """Megabytes in memory, every few seconds."""
    found = []
    while perf_counter() < end:
        await asyncio.sleep(min(SAMPLED_S, max(0.1, end - perf_counter())))
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                found.append(int(line.split()[1]) / 1024)
    return found


def _growth(memory: Sequence[float]) -> dict[str, float]:
    warm = int(len(memory) * min(WARM_MINUTES / MINUTES, 1 / 6))
    tenth = max(1, len(memory) // 10)
    first, last = mean(memory[warm : warm + tenth]), mean(memory[-tenth:])
    return {
        "minutes": MINUTES,
        "warm_mb": round(first, 1),
        "end_mb": round(last, 1),
        "grown_mb": round(last - first, 1),
        "peak_mb": round(max(memory), 1),
    }


def _latency(taken: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(taken, n=100)
    return {
        "turns": len(taken),
        "turns_s": round(len(taken) / (60 * MINUTES), 1),
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
    }
