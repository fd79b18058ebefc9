"""Where a run's curves go: TensorBoard files, and Weights & Biases where that is installed."""

import importlib.util
from pathlib import Path

from tensorboardX import SummaryWriter
from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback, WandbCallback


def log_callbacks(folder: Path | None, course: str) -> list[TrainerCallback]:
    """What writes loss, rates, gradient norms and dev scores of a course; nothing without a folder.

    Args:
        folder: `tensorboard --logdir` shows it; made if it is not there.
        course: a name for this part of the training, a folder in it.
    """
    if folder is None:
        return []
    found = [TensorBoardCallback(SummaryWriter(str(folder / course)))]
    if importlib.util.find_spec("wandb") is not None:
        found.append(WandbCallback())
    return found
