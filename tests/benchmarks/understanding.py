"""Understanding alone: one message and batches, beside the same network in torch; load, memory."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

from knowledge.project_folder import bundled_assistant
from tests.benchmarks.messages import distinct_messages

SINGLE = 300
BATCHED = 256
REPEATS = 3
_FILES = ("cards.yml", "everyday.yml")
Understand = Callable[[Sequence[str]], Sequence[Any]]
_PARSER = """
import json, resource, sys
from pathlib import Path
from time import perf_counter
from agent.understanding.interpreter import Interpreter
begun = perf_counter()
interpreter = Interpreter.load(Path(sys.argv[1]))
loaded = perf_counter() - begun
for text in json.loads(sys.stdin.read()):
    interpreter.understand([text])
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"load_s": loaded, "peak_mb": peak_mb, "torch": int("torch" in sys.modules)}))
"""


def run(data: Path) -> dict[str, float]:
    """Milliseconds of a message (tokenizer, network, decoding) on one core, and ratios to torch.

    The models are trained for the run, a single epoch on a part of the bundled assistant, by
    method full, without and with `--compress` (`compressed_*`). Torch runs the weights of the
    former (fp32, sdpa, inference_mode, one thread) with the same tokenizer, batches and
    decoding. `same_intent` is the share of messages where both agree on the best intent;
    `load_s` and `peak_mb` are those of a process that loads a model and parses one by one.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    messages = distinct_messages(data, SINGLE + BATCHED)
    singles, batch = messages[:SINGLE], messages[SINGLE:]
    with tempfile.TemporaryDirectory() as scratch:
        folder, small = Path(scratch) / "model", Path(scratch) / "small"
        _train(folder)
        _train(small, "--compress")
        process = _parse_only(folder, singles)
        figures = _compare(folder, small, singles, batch)
    return {**figures, **process}


def _train(folder: Path, *options: str) -> None:
    nlu = bundled_assistant() / "data" / "nlu"
    files = [part for name in _FILES for part in ("--nlu", str(nlu / name))]
    command = [sys.executable, "-m", "agent", "train", *files, "--epochs", "1", *options]
    subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)


def _parse_only(folder: Path, messages: Sequence[str]) -> dict[str, float]:
    command = [sys.executable, "-c", _PARSER, str(folder)]
    given = json.dumps(messages)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    if found["torch"]:
        raise AssertionError("parsing loaded torch")
    return {"load_s": round(found["load_s"], 3), "peak_mb": round(found["peak_mb"])}


def _compare(
    folder: Path, small: Path, singles: Sequence[str], batch: Sequence[str]
) -> dict[str, float]:
    from agent.understanding.interpreter import Interpreter
    from tests.benchmarks.torch_network import TorchNetwork

    interpreter, half = Interpreter.load(folder), Interpreter.load(small)
    network = TorchNetwork(folder)
    sides: list[Understand] = [
        lambda texts: [u.ranking for u in interpreter.understand(texts)],
        network.understand,
        lambda texts: [u.ranking for u in half.understand(texts)],
    ]
    single = _milliseconds(sides, [[text] for text in singles])
    together = [taken[0] / 1000 for taken in _milliseconds(sides, [batch])]
    named = [_best(u.ranking) for u in interpreter.understand(batch)]
    agree = mean(a == b for a, b in zip(named, network.best(batch), strict=True))
    return {
        "messages": len(singles),
        "median_ms": round(median(single[0]), 3),
        "mean_ms": round(mean(single[0]), 3),
        "torch_median_ms": round(median(single[1]), 3),
        "torch_over_ours": round(median(single[1]) / median(single[0]), 2),
        "batch_messages_per_s": round(len(batch) / together[0]),
        "torch_batch_messages_per_s": round(len(batch) / together[1]),
        "batch_torch_over_ours": round(together[1] / together[0], 2),
        "same_intent": round(agree, 4),
        "compressed_median_ms": round(median(single[2]), 3),
        "compressed_mean_ms": round(mean(single[2]), 3),
        "compressed_torch_over_ours": round(median(single[1]) / median(single[2]), 2),
        "compressed_batch_torch_over_ours": round(together[1] / together[2], 2),
    }


def _best(ranking: Sequence[Any]) -> str:
    return next(str(score.intent) for score in ranking if score.intent != "nlu_fallback")


def _milliseconds(sides: Sequence[Understand], calls: Sequence[Sequence[str]]) -> list[list[float]]:
    """What each side takes for each call: its quickest of a few, taken in turns.

    In turns and the quickest, so that what else the machine does hits no side alone; all calls
    of a side one after the other, so that none pays for what another leaves in the caches.
    """
    taken = [[float("inf")] * len(calls) for _ in sides]
    for _ in range(REPEATS):
        for side, understand in enumerate(sides):
            understand(calls[0])
            for place, texts in enumerate(calls):
                begun = perf_counter()
                found = understand(texts)
                spent = (perf_counter() - begun) * 1000
                taken[side][place] = min(taken[side][place], spent)
                if len(found) != len(texts) or not all(found):
                    raise AssertionError(f"nothing understood of one of {texts[:3]!r}")
    return taken
