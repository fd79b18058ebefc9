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
    # Torch is loaded only where a network is fine-tuned.
    from training.full import help_training
    from training.ranks import dismiss

    if os.environ["RANK"] != "0":
        help_training()
        return True
    atexit.register(dismiss)
    return False
