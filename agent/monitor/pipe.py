"""Lines of a pipe as they come: a pipe cannot be asked whether more is there."""

import queue
import threading
from typing import IO

MAX_LINE = 1_000_000
WAIT_S = 0.3


class Waiting:
    """Lines that a reading thread has ready.

    Args:
        batch: how many lines are given at once; a few times as many wait at most.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._lines: queue.Queue[bytes | None] = queue.Queue(4 * batch)

    def read(self, stream: IO[bytes]) -> None:
        """Start to read; the thread ends with the stream, or with the process."""

        def follow() -> None:
            while line := stream.readline(MAX_LINE):
                self._lines.put(line)
            self._lines.put(None)

        threading.Thread(target=follow, daemon=True).start()

    def collect(self) -> tuple[list[bytes], bool]:
        """Lines that are ready, and whether the stream has ended; waits a little for the first."""
        lines: list[bytes] = []
        try:
            line = self._lines.get(timeout=WAIT_S)
            while line is not None:
                lines.append(line)
                if len(lines) == self._batch:
                    return lines, False
                line = self._lines.get_nowait()
        except queue.Empty:
            return lines, False
        return lines, True
