"""Tables for people: as wide as the terminal, one unbroken line a row in a pipe."""

from rich.console import Console

_PIPE_WIDTH = 2000


def table_console() -> Console:
    """Where a table is printed; in a pipe nothing is wrapped or cut to a width."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
