"""Where a run keeps its checkpoints: nowhere, or in a folder that a killed run goes on from."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from training.corpus import Corpus
from training.errors import TrainingError
from training.network.recipe import Recipe
from training.options import TrainOptions


@contextmanager
def work_folder(corpus: Corpus, options: TrainOptions, recipe: Recipe) -> Iterator[Path]:
    """The trainer's folder; with `options.checkpoints` it outlives a run that did not finish.

    Its name says which data and numbers it belongs to, so that only the same run finds it.

    Raises:
        TrainingError: the folder cannot be written.
    """
    if options.checkpoints is None:
        with tempfile.TemporaryDirectory(prefix="agent-train-") as temporary:
            yield Path(temporary)
        return
    folder = options.checkpoints / run_key(corpus, options, recipe)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot keep checkpoints in {folder} ({error.strerror})") from error
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run_key(corpus: Corpus, options: TrainOptions, recipe: Recipe) -> str:
    """Sixteen hexadecimal digits that change with the data, the encoder, the seed or a number."""
    rows = [
        [e.text, e.intent, e.response, e.weight, [[s.start, s.end, s.label] for s in e.entities]]
        for e in corpus.examples
    ]
    beginning = options.init_from.name if options.init_from else None
    facts = [rows, asdict(recipe), options.method, options.encoder, options.seed, beginning]
    facts += [list(options.unlabelled), options.translators]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
