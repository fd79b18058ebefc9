"""Progress on standard error: a bar with the time left; without a terminal, now and then a line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from training.options import Progress as Report

_LINE_EVERY_S = 30.0


@contextmanager
def progress_bar(first: str) -> Iterator[Report]:
    """A bar while the block runs; call what it gives with the share done in [0, 1] and a text."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(first, total=1.0)
    with bar:
        yield lambda done, text: bar.update(task, completed=done, description=text)


def _lines(every_s: float = _LINE_EVERY_S) -> Report:
    """Writes a line at most every `every_s` seconds: a short run says nothing."""
    last = monotonic()

    def report(done: float, text: str) -> None:
        nonlocal last
        if monotonic() - last >= every_s:
            last = monotonic()
            sys.stderr.write(f"{text} ({done:.0%})\n")
            sys.stderr.flush()

    return report
