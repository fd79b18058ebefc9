"""A process that `agent serve` started ends when that one is gone, however it went."""

import os
import signal
import threading

SUPERVISED = "INTENT_AGENT_SUPERVISED"


def end_with_parent() -> None:
    """Stop in order when standard input ends, if this process was started by a supervisor."""
    if SUPERVISED in os.environ:
        threading.Thread(target=_wait, name="parent", daemon=True).start()


def _wait() -> None:
    # Not by sys.stdin, whose lock a thread would hold while the interpreter shuts down.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
