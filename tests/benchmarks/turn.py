"""One turn of the bundled assistant, end to end, beside the bare network and torch."""

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from agent.turn import Message, new_id
from knowledge.project_folder import bundled_assistant
from tests.benchmarks.messages import distinct_messages

TURNS = 400
FORWARDS = 200


def run(data: Path) -> dict[str, float]:
    """Milliseconds of a turn (understanding, policies, actions, log to Redis, memory) on one core.

    `turn_over_network` compares a turn with the bare int8 forward pass of the same messages,
    `torch_over_network` the same network in torch (fp32, sdpa, inference_mode, one thread) with
    it. Every turn's reply is checked to be there.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bank"
        shutil.copytree(bundled_assistant(), root)
        command = [sys.executable, "-m", "agent", "train", "--method", "head"]
        subprocess.run([*command, "--project", str(root)], check=True, stdout=subprocess.DEVNULL)
        messages = distinct_messages(data, TURNS)
        turns, peak_mb = asyncio.run(_turns(root, messages))
        torch_was_loaded = "torch" in sys.modules
        network = _network_ms(root, messages)
        torch = _torch_ms(root, messages)
    spread = quantiles(turns, n=20)
    return {
        "turns": len(turns),
        "median_ms": round(median(turns), 2),
        "p95_ms": round(spread[18], 2),
        "network_ms": round(network, 2),
        "torch_ms": round(torch, 2),
        "turn_over_network": round(median(turns) / network, 2),
        "torch_over_network": round(torch / network, 2),
        "peak_mb": round(peak_mb),
        "torch_loaded_by_turns": int(torch_was_loaded),
    }


async def _turns(root: Path, messages: Sequence[str]) -> tuple[list[float], float]:
    from agent.assemble import open_assistant
    from agent.settings import load_settings

    taken = []
    async with open_assistant(root, load_settings(root)) as assistant:
        await assistant.manager.handle(Message(new_id(), "warm", "what does a card abroad cost?"))
        await assistant.manager.handle(Message(new_id(), "warm", "show my balance"))
        for number, text in enumerate(messages):
            message = Message(new_id(), f"c{number // 5}", text)
            begun = perf_counter()
            turn = await assistant.manager.handle(message)
            taken.append((perf_counter() - begun) * 1000)
            if not turn.replies:
                raise AssertionError(f"no reply to {text!r}")
    return taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _network_ms(root: Path, messages: Sequence[str]) -> float:
    """The bare ONNX session on token ids made beforehand."""
    import numpy as np

    from agent.assemble import load_interpreter

    network = load_interpreter(root, None).network
    inputs = []
    for text in messages[:FORWARDS]:
        ids = np.array([network._tokenizer.encode(text).ids], dtype=np.int64)
        inputs.append((ids, np.ones_like(ids)))
    return _median_ms([partial(network._engine, *x) for x in inputs])


def _torch_ms(root: Path, messages: Sequence[str]) -> float:
    """The default encoder in torch, tokenized beforehand; the heads' share is negligible."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from knowledge.encoder_source import source_folder

    torch.set_num_threads(1)
    folder = source_folder("minilm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    inputs = [tokenizer(text, return_tensors="pt") for text in messages[:FORWARDS]]
    with torch.inference_mode():
        return _median_ms([partial(model, **x) for x in inputs])


def _median_ms(calls: Sequence[Callable[[], object]]) -> float:
    calls[0]()
    taken = []
    for call in calls:
        begun = perf_counter()
        call()
        taken.append((perf_counter() - begun) * 1000)
    return median(taken)
