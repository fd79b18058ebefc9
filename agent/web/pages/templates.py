"""Renders the pages' templates; every value is escaped."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.display import visible

_FOLDER = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(percent=percent, clock=clock, visible=visible)
    return found


def render(name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A page from its template; nothing of it is kept by a cache."""
    text = _environment().get_template(name).render(**values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def percent(share: float | None) -> str:
    """A share in [0, 1] as whole percent, a dash for None.

    >>> percent(0.876)
    '88 %'
    """
    return "–" if share is None else f"{share:.0%}".replace("%", " %")


def clock(moment: datetime | str | None) -> str:
    """A moment in UTC to the minute.

    >>> clock("2026-11-24T08:15:30+00:00")
    '2026-11-24 08:15'
    """
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")
