"""The server over HTTP: turns a second, latencies and memory, beside a bare FastAPI echo."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from agent.feedback.correction import Correction
from agent.settings import load_settings
from agent.storage.opening import open_store
from knowledge.project_folder import bundled_assistant
from tests.benchmarks.http_clients import answered, exchange, free_port
from tests.benchmarks.messages import distinct_messages

CLIENTS = (1, 8, 64, 256)
TURNS = {1: 300, 8: 1200, 64: 1200, 256: 1500}
WORKERS = {1: "", 2: "two_workers_"}
WARM_UP = 100
TURNS_OF_A_CONVERSATION = 5
CORRECTIONS = 50
READY_S = 60.0


def run(data: Path) -> dict[str, float]:
    """Distinct messages over the REST channel, the server on one core, the rest on another.

    The server is `agent serve --no-worker` with the bundled assistant (method `head`, without
    its knowledge folder, whose search is measured by `knowledge`), with understanding,
    policies, log to Redis (append-only file, fsynced) and 50 corrections in memory. Redis and
    the clients share the other core. Each answer must be a list of messages. `_over_echo` is
    the time of a turn over that of a bare FastAPI echo with as many clients; `_cpu_ms` is the
    server's processor time a turn; `two_workers_` figures are those of two processes on the
    same core.
    """
    cores = sorted(os.sched_getaffinity(0))
    own, servers = cores[-1], cores[0]
    os.sched_setaffinity(0, {own})
    with tempfile.TemporaryDirectory() as folder:
        root = asyncio.run(assistant_with_corrections(Path(folder) / "bank"))
        texts = distinct_messages(data, len(WORKERS) * (sum(TURNS.values()) + WARM_UP))
        figures = asyncio.run(_measure(root, texts, servers))
    figures |= _echo(servers)
    for clients in CLIENTS:
        ratio = figures[f"echo_{clients}_turns_s"] / figures[f"clients_{clients}_turns_s"]
        figures[f"clients_{clients}_over_echo"] = round(ratio, 1)
    return figures


async def assistant_with_corrections(root: Path) -> Path:
    """The bundled assistant by `head`, without its knowledge, with corrections in memory."""
    shutil.copytree(bundled_assistant(), root)
    shutil.rmtree(root / "knowledge")
    command = [sys.executable, "-m", "agent", "train", "--method", "head"]
    subprocess.run([*command, "--project", str(root)], check=True, stdout=subprocess.DEVNULL)
    async with await open_store(root, load_settings(root).store) as store:
        for number in range(CORRECTIONS):
            text = f"correction number {number} about the zebra crossing"
            await store.add_correction(
                Correction(text, "intent", "ops", intent="greet", state="accepted")
            )
    return root


async def _measure(root: Path, texts: Sequence[str], core: int) -> dict[str, float]:
    # Opened here first, so that the embedded Redis runs on this process's core.
    async with await open_store(root, load_settings(root).store):
        figures: dict[str, float] = {}
        rest = iter(texts)
        for workers, name in WORKERS.items():
            command = ["agent", "serve", "--no-worker", "--project", str(root)]
            command += ["--workers", str(workers)]
            with started(command, core) as (port, pid, ready_s):
                figures[f"{name}ready_s"] = round(ready_s, 2)
                await load(port, list(islice(rest, WARM_UP)), 8 * workers)
                processes = [pid, *(_children(pid) if workers > 1 else [])]
                for clients in CLIENTS:
                    batch = list(islice(rest, TURNS[clients]))
                    measured = f"{name}clients_{clients}"
                    figures |= await _named(measured, port, batch, clients, processes)
                figures[f"{name}peak_mb"] = round(sum(_peak_mb(one) for one in processes))
    return figures


async def _named(
    name: str, port: int, texts: Sequence[str], clients: int, processes: Sequence[int]
) -> dict[str, float]:
    begun, cpu_ms = perf_counter(), _cpu_ms(processes)
    taken, errors = await load(port, texts, clients, name=name)
    spent = perf_counter() - begun
    cuts = quantiles(taken, n=100)
    return {
        f"{name}_cpu_ms": round((_cpu_ms(processes) - cpu_ms) / len(taken), 2),
        f"{name}_turns_s": round(len(taken) / spent, 1),
        f"{name}_p50_ms": round(median(taken), 2),
        f"{name}_p95_ms": round(cuts[94], 2),
        f"{name}_p99_ms": round(cuts[98], 2),
        f"{name}_errors": errors,
    }


async def load(
    port: int, texts: Sequence[str], clients: int, *, name: str = "load"
) -> tuple[list[float], int]:
    """Milliseconds of each turn and the number of answers that were none.

    Args:
        port: the server's, on loopback.
        texts: one message each.
        clients: so many send at the same time, each in conversations of five turns.
        name: what the conversations' ids begin with.
    """
    waiting: Iterator[tuple[int, str]] = iter(enumerate(texts))
    taken: list[float] = []
    errors = 0

    async def client(number: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn, (_, text) in enumerate(waiting):
            sender = f"{name}-{clients}-{number}-{turn // TURNS_OF_A_CONVERSATION}"
            body = json.dumps({"sender": sender, "message": text}).encode()
            begun = perf_counter()
            status, answer = await exchange(reader, writer, "/webhooks/rest/webhook", body)
            taken.append((perf_counter() - begun) * 1000)
            errors += not (status == 200 and answered(answer))
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return taken, errors


def _echo(core: int) -> dict[str, float]:
    """Turns a second of a FastAPI application that sends the text back."""
    command = ["tests.benchmarks.echo"]
    figures: dict[str, float] = {}
    with started(command, core) as (port, _, _):
        asyncio.run(load(port, ["warm"] * WARM_UP, 8))
        for clients in CLIENTS:
            texts = [f"message {n}" for n in range(2000)]
            begun = perf_counter()
            _, errors = asyncio.run(load(port, texts, clients))
            assert not errors
            figures[f"echo_{clients}_turns_s"] = round(len(texts) / (perf_counter() - begun), 1)
    return figures


@contextmanager
def started(module: Sequence[str], core: int) -> Iterator[tuple[int, int, float]]:
    """A server process on a core: its port, its process id, seconds from start to ready."""
    port = free_port()
    begun = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *module, "--port", str(port)],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - one thread here
    )
    try:
        _ready(port, process)
        yield port, process.pid, perf_counter() - begun
    finally:
        process.terminate()
        process.wait(30)


def _ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = perf_counter() + READY_S
    while perf_counter() < end:
        if process.poll() is not None:
            raise AssertionError(f"the server ended with code {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), READY_S) as asking:
                # It listens before it can answer: only an answer shows that it is ready.
                asking.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if asking.recv(12):
                    return
        except OSError:
            time.sleep(0.005)
    raise AssertionError("the server was not ready in time")


def _children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text("ascii").split()]


def _cpu_ms(processes: Sequence[int]) -> float:
    """Milliseconds of processor time that processes have had."""
    ticks = 0
    for pid in processes:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel does not tell the peak")
