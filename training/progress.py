"""A progress bar on standard error: what is going on and the time left."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from training.options import Progress as Report


@contextmanager
def progress_bar(first: str) -> Iterator[Report]:
    """A bar while the block runs; call what it gives with the share done in [0, 1] and a text."""
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
