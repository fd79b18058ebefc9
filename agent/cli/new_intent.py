"""Intents that the assistant does not have yet: never made by a slip of the keyboard."""

import difflib
import sys
from pathlib import Path

import typer

from agent.errors import InputError, ModelError
from agent.feedback.correction import check_intent
from agent.registry import Registry
from agent.turn import OOS_INTENT


def check_known(root: Path, intent: str | None, *, new: bool) -> None:
    """Refuse an intent that the serving model does not know, unless it is meant to be new.

    In a terminal the person is asked.

    Raises:
        InputError: it is unknown and not confirmed; names what is spelled like it.
    """
    if intent is None:
        return
    check_intent(intent)
    known = known_intents(root)
    if new or not known or intent in known or intent == OOS_INTENT:
        return
    close = difflib.get_close_matches(intent, known, n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    if sys.stdin.isatty() and typer.confirm(
        f"{intent!r} is no intent of this assistant{hint or '.'} Add it as a new one?", err=True
    ):
        return
    raise InputError(
        f"{intent!r} is no intent of this assistant{hint} (--new-intent adds it as a new one)"
    )


def known_intents(root: Path) -> list[str]:
    """The intents (and `intent/key` of retrieval intents) of the serving model, if there is one."""
    try:
        version = Registry(root).production()
    except ModelError:
        return []
    labels = version.manifest.get("labels", {}) if version else {}
    return [*labels.get("intents", ()), *labels.get("responses", ())]
