"""Fine-tuning alone: examples per second beside a plain Trainer that pads to the longest."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from agent.project.types import Example, NluData
from tests.benchmarks.messages import distinct_messages

EXAMPLES = 1280
INTENTS = 40
_ENCODER = "minilm"


def run(data: Path) -> dict[str, float]:
    """Examples per second of one epoch of method full, and of a plain run on the same examples.

    Both on one core, in batches of 32, in the arithmetic that the machine is best at. The
    plain run is `transformers.Trainer` with a sequence classifier on the same encoder, all
    weights trained, every text padded to the longest of the data set. `full` is measured with
    the recipe for small data (the lowest third of the layers frozen) and with that for large
    data; `ratio` is the latter's.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts = distinct_messages(data, EXAMPLES)
    examples = [Example(text, f"intent {i % INTENTS}") for i, text in enumerate(texts)]
    import torch

    torch.set_num_threads(1)
    small = _ours(examples, {})
    large = _ours(examples, {"freeze_share": 0.0})
    plain = _plain(texts)
    return {
        "examples": len(examples),
        "small_per_s": round(small, 1),
        "large_per_s": round(large, 1),
        "plain_per_s": round(plain, 1),
        "ratio": round(large / plain, 2),
        "small_ratio": round(small / plain, 2),
    }


def _ours(examples: Sequence[Example], changes: Mapping[str, Any]) -> float:
    from training.corpus import read_corpus
    from training.network.start import part_of, prepare_torch, start
    from training.network.trainer import fine_tune
    from training.options import TrainOptions

    options = TrainOptions(encoder=_ENCODER, threads=1)
    prepare_torch(options)
    started = start(read_corpus(NluData(tuple(examples))), options)
    run = replace(started, recipe=replace(started.recipe, epochs=1.0, **changes))
    part = part_of(run, examples)
    with tempfile.TemporaryDirectory() as folder:
        begun = perf_counter()
        course = fine_tune(
            run.network,
            part.items,
            run.recipe,
            folder=Path(folder),
            pad_id=run.pad_id,
            seed=0,
            judge=None,
            progress=lambda _done, _text: None,
        )
        taken = perf_counter() - begun
    if course.steps * run.recipe.batch_size < len(examples):
        raise AssertionError("the epoch was not finished")
    return len(examples) / taken


def _plain(texts: Sequence[str]) -> float:
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainingArguments,
    )

    from knowledge.encoder_source import source_folder
    from training.network.predict import has_bfloat16

    folder = source_folder(_ENCODER)
    encoded = AutoTokenizer.from_pretrained(folder)(list(texts), padding="longest")
    rows = [
        {"input_ids": ids, "attention_mask": mask, "labels": i % INTENTS}
        for i, (ids, mask) in enumerate(
            zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
        )
    ]
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=INTENTS)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            per_device_train_batch_size=32,
            num_train_epochs=1,
            use_cpu=True,
            bf16=has_bfloat16(torch.device("cpu")),
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows)
        begun = perf_counter()
        trainer.train()
        return len(rows) / (perf_counter() - begun)
