"""What each cure for little or noisy data gives and costs: `agent train --cure`, one by one.

Results are kept in the user folder's `benchmarks/cures.jsonl`, so that a run of no more than
`INTENT_AGENT_BENCH_MINUTES` goes on where the last one ended.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from time import monotonic
from typing import Any

from agent.project import load_nlu
from agent.project.types import Example, NluData
from agent.understanding.interpreter import Interpreter
from knowledge.home import home
from training.corpus import fold, stable_order
from training.cures.flags import CURES, read_cures
from training.errors import InputError
from training.evaluate import evaluate
from training.finetune import train_understanding
from training.options import TrainOptions
from training.testing.noise import NOISES, disturb

ROWS = int(os.environ.get("INTENT_AGENT_BENCH_ROWS", "2000"))
JUDGED = int(os.environ.get("INTENT_AGENT_BENCH_JUDGED", "500"))
SEEDS = int(os.environ.get("INTENT_AGENT_BENCH_SEEDS", "1"))
EPOCHS = int(os.environ.get("INTENT_AGENT_BENCH_EPOCHS", "0")) or None
MINUTES = float(os.environ.get("INTENT_AGENT_BENCH_MINUTES", "inf"))
SETS = ("banking77", "clinc150", "multidogo_finance", "wnut17")
WANTED = os.environ.get("INTENT_AGENT_BENCH_SETS", ",".join(SETS)).split(",")
# Needs two translation models, which this machine may not have.
LEFT_OUT = {"translate"}
NAMES = ("none", *(name for name in CURES if name not in LEFT_OUT))
TRIED = os.environ.get("INTENT_AGENT_BENCH_CURES", ",".join(NAMES)).split(",")
UNLABELLED = 5000
SETTING = f"{ROWS} rows, {JUDGED} judged, {EPOCHS or 'usual'} epochs"


@dataclass(frozen=True, slots=True)
class Parts:
    """What is trained on, what judges, and texts whose labels nobody looks at."""

    train: NluData
    dev: NluData
    unlabelled: tuple[str, ...]


def run(data: Path) -> dict[str, Any]:
    """Accuracy (of entities: F1) clean and under noise, and seconds of training, for each cure.

    Of BANKING77 the ten-shot rows are trained on and a part of the other training rows judges; of
    the others `ROWS` rows are trained on and `JUDGED` of the dev split judge. No test split is
    looked at. `noisy` is the mean over the noises of `agent test --robust`.
    """
    path = home() / "benchmarks" / "cures.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = monotonic() + 60 * MINUTES
    known = _known(path)
    for name, cure, seed in _runs():
        if (SETTING, name, cure, seed) in known or monotonic() > deadline:
            continue
        found = {"setting": SETTING, "set": name, "cure": cure, "seed": seed}
        try:
            found |= _measure(_parts(data / name), cure, seed)
        except InputError as error:
            # What a cure needs is not on every machine (WordNet); the others go on.
            sys.stderr.write(f"{name}, {cure}: {error}\n")
            continue
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        known[(SETTING, name, cure, seed)] = found
    return {"setting": SETTING, "table": _table(known)}


def _runs() -> Iterator[tuple[str, str, int]]:
    """Every set with every cure, the seeds last, so that a short run has seen all once."""
    for seed in range(SEEDS):
        for name in WANTED:
            for cure in TRIED:
                yield name, cure, seed


def _known(path: Path) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    rows = [json.loads(line) for line in lines]
    return {(row["setting"], row["set"], row["cure"], row["seed"]): row for row in rows}


def _parts(folder: Path) -> Parts:
    whole = load_nlu([folder / "train.jsonl"])
    few = folder / "train_10shot.jsonl"
    if few.is_file():
        train = load_nlu([few])
        known = {fold(e.text) for e in train.examples}
        others = _shuffled([e for e in whole.examples if fold(e.text) not in known])
        dev, rest = others[:JUDGED], others[JUDGED:]
    else:
        rows = _shuffled(whole.examples)
        train, rest = replace(whole, examples=tuple(rows[:ROWS])), rows[ROWS:]
        dev = _shuffled(load_nlu([folder / "dev.jsonl"]).examples)[:JUDGED]
    texts = tuple(e.text for e in rest[:UNLABELLED])
    return Parts(train, replace(whole, examples=tuple(dev)), texts)


def _shuffled(examples: Sequence[Example]) -> list[Example]:
    return sorted(examples, key=lambda e: stable_order(e.text))


def _measure(parts: Parts, cure: str, seed: int) -> dict[str, float]:
    options = TrainOptions(
        seed=seed,
        epochs=EPOCHS,
        cures=read_cures([] if cure == "none" else [cure]),
        unlabelled=parts.unlabelled,
    )
    with tempfile.TemporaryDirectory() as folder:
        begun = monotonic()
        train_understanding(parts.train, Path(folder), options)
        took_s = monotonic() - begun
        interpreter = Interpreter.load(Path(folder))
    clean = _figures(interpreter, parts.dev)
    noisy = [
        _figures(interpreter, replace(parts.dev, examples=tuple(disturb(parts.dev.examples, n))))
        for n in NOISES
    ]
    worse = {f"noisy_{part}": round(mean(one[part] for one in noisy), 4) for part in clean}
    return {**clean, **worse, "took_s": round(took_s, 1)}


def _figures(interpreter: Interpreter, data: NluData) -> dict[str, float]:
    found = evaluate(interpreter, data).figures()
    parts = {"intent": "accuracy", "entity": "f1"}
    return {part: round(found[part][name], 4) for part, name in parts.items() if part in found}


def _table(known: Mapping[Any, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over the seeds, a row for each set and cure."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in known.values():
        if row["setting"] == SETTING:
            groups.setdefault((row["set"], row["cure"]), []).append(row)
    skipped = ("setting", "set", "cure", "seed")
    means = {
        key: {k: round(mean(row[k] for row in rows), 4) for k in rows[0] if k not in skipped}
        for key, rows in groups.items()
    }
    return [
        {"set": name, "cure": cure, "seeds": len(groups[name, cure]), **figures}
        for (name, cure), figures in sorted(means.items())
    ]
