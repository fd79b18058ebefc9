"""Cross-validation: every example is judged by a model that was trained on the other folds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.project.types import NluData
from agent.understanding.interpreter import Interpreter
from knowledge.errors import InputError
from training.corpus import folds, read_corpus
from training.descriptions import own_examples
from training.evaluate import Evaluation, evaluate, join
from training.finetune import train_understanding
from training.options import Progress, TrainOptions


def cross_validate(nlu: NluData, options: TrainOptions, count: int) -> Evaluation:
    """Train `count` models, each without its fold, and measure each on its fold.

    Raises:
        InputError: fewer examples than folds, or unusable data.
    """
    # The training adds the descriptions again; they are no messages to judge by.
    examples = own_examples(read_corpus(nlu).examples)
    parts = [part for part in folds(examples, count) if part]
    if len(parts) < 2:
        raise InputError(f"{len(examples)} examples cannot be split into {count} folds")
    results = []
    for number, held in enumerate(parts):
        chosen = set(held)
        rest = tuple(e for i, e in enumerate(examples) if i not in chosen)
        report = _share(options.progress, number, len(parts))
        with TemporaryDirectory(prefix="intent-agent-fold-") as folder:
            train_understanding(
                replace(nlu, examples=rest), Path(folder), replace(options, progress=report)
            )
            interpreter = Interpreter.load(Path(folder))
            tested = replace(nlu, examples=tuple(examples[i] for i in held))
            results.append(evaluate(interpreter, tested))
    return replace(join(results), model=f"{len(parts)} folds, method {options.method}")


def _share(progress: Progress, number: int, count: int) -> Callable[[float, str], None]:
    def report(done: float, text: str) -> None:
        progress((number + done) / count, f"fold {number + 1} of {count}: {text}")

    return report
