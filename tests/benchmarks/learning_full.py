"""The fine-tuning variant of the learning benchmark: one run, real model folders.

    python -m tests.benchmarks.learning_full --data ../shared/data/banking77

A champion fine-tuned on ten examples an intent gets corrections of half the intents; a challenger
goes on from it, another model is trained from scratch on the same data.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from time import perf_counter

from agent.feedback.correction import Correction
from agent.project.types import Example, NluData
from agent.understanding.interpreter import Interpreter
from tests.benchmarks.learning_data import balanced_rows
from training.challenger import plan
from training.curate import curate
from training.examine import right_intent
from training.finetune import train_understanding
from training.options import TrainOptions

SHOTS, STREAM, TEST = 10, 1500, 1500


def main() -> None:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--method", choices=["full", "lora"], default="full")
    arguments = parser.parse_args()
    sys.stdout.write(json.dumps(run(arguments.data, arguments.method)) + "\n")


def run(data: Path, method: str = "full") -> dict[str, float | int | str]:
    """Accuracies and seconds of champion, challenger and retrain; ratios as in `learning`."""
    train, tests = balanced_rows(data / "train.jsonl"), balanced_rows(data / "test.jsonl")[:TEST]
    count = SHOTS * len({intent for _, intent in train})
    base = NluData(tuple(Example(text, intent) for text, intent in train[:count]))
    options = TrainOptions(method="lora" if method == "lora" else "full", seed=1)
    chosen = set(sorted({intent for _, intent in train})[::2])
    with tempfile.TemporaryDirectory() as folder:
        champion, challenger, scratch = (Path(folder) / n for n in ("champion", "on", "scratch"))
        _train(base, champion, options)
        before = _right(champion, tests)
        stream = train[count : count + STREAM]
        wrong = [row for row, hit in zip(stream, _right(champion, stream), strict=True) if not hit]
        taught = [row for row in wrong if row[1] in chosen]
        mixed = curate(_corrections(taught), base, held_out=0.0).mixed_with(base)
        chosen_plan = plan(mixed, champion, options, replay=20_000)
        on_s = _train(chosen_plan.nlu, challenger, chosen_plan.options)
        scratch_s = _train(mixed, scratch, options)
        after, again = _right(challenger, tests), _right(scratch, tests)
    rest = [i for i, (_, intent) in enumerate(tests) if intent not in chosen]
    return {
        "method": method,
        "corrections": len(taught),
        "champion": round(mean(before), 4),
        "challenger": round(mean(after), 4),
        "retrained": round(mean(again), 4),
        "retrain_ratio": round(mean(after) / mean(again), 4),
        "challenger_s": round(on_s, 1),
        "retrained_s": round(scratch_s, 1),
        "time_ratio": round(on_s / scratch_s, 4),
        "forgetting": round(
            100 * (mean(before[i] for i in rest) - mean(after[i] for i in rest)), 3
        ),
    }


def _corrections(rows: Sequence[tuple[str, str]]) -> list[Correction]:
    return [
        Correction(text, "intent", "reviewer", id=f"c{n:05d}", intent=intent, state="accepted")
        for n, (text, intent) in enumerate(rows)
    ]


def _train(nlu: NluData, folder: Path, options: TrainOptions) -> float:
    """Train into a folder; seconds."""
    folder.mkdir()
    begun = perf_counter()
    train_understanding(nlu, folder, options)
    return perf_counter() - begun


def _right(folder: Path, rows: Sequence[tuple[str, str]]) -> list[bool]:
    heard = Interpreter.load(folder).understand([text for text, _ in rows])
    return [right_intent(Example(*row), u) for row, u in zip(rows, heard, strict=True)]


if __name__ == "__main__":
    main()
