"""A command that `torchrun` started several times: one process does it, the others help train."""

import atexit
import os

LAUNCHED = "TORCHELASTIC_RUN_ID"


def helps() -> bool:
    """Whether this process is there to help the first one train; it returns when that has ended.

    The first process, and one that was started alone, gets False at once.
    """
    if LAUNCHED not in os.environ:
        return False
    _take_gpu(int(os.environ["LOCAL_RANK"]))
    # Torch is loaded only where a network is fine-tuned.
    from training.network.full import help_training
    from training.network.ranks import dismiss

    if os.environ["RANK"] != "0":
        help_training()
        return True
    atexit.register(dismiss)
    return False


def _take_gpu(number: int) -> None:
    """See one GPU only, this process's own; without GPUs this means nothing.

    It must be said before anything asks for a GPU, which settles what a process sees.
    """
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if gpus == [""]:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(number)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number] if number < len(gpus) else ""
