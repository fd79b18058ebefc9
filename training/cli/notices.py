"""How a terminal shows what was odd about files that were read."""

from collections.abc import Sequence

from rich.console import Console

from agent.project.types import Notice

_SHOWN = 10


def show_notices(console: Console, notices: Sequence[Notice], listed: str = "") -> None:
    """Print warnings and errors, a line each; of many the first, then `listed`: where all are."""
    warnings = [notice for notice in notices if notice.level != "info"]
    for notice in warnings[:_SHOWN]:
        place = f"{notice.place.path}:{notice.place.line}: " if notice.place.path else ""
        key = f"{notice.key}: " if notice.key else ""
        line = f"{place}{key}{notice.message}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(warnings) > _SHOWN:
        console.print(f"and {len(warnings) - _SHOWN} more findings{listed}", highlight=False)
