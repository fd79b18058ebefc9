"""Who hears an answer while a language model writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from agent.prompts.generator import OnText


def _nobody(_: str) -> None:
    """Nobody listens: the answer comes as a whole."""


# The way from a channel to the model leads through manager, executor and forms, none of which has
# to do with it.
_LISTENER: ContextVar[OnText] = ContextVar("listener", default=_nobody)


@contextmanager
def listening(listener: OnText) -> Iterator[None]:
    """In this block `listener` hears each sentence of a written answer once it was checked.

    What it heard may still be given up for another answer: the reply is what counts.
    """
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def listener() -> OnText:
    """Who listens now."""
    return _LISTENER.get()
