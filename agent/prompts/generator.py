"""What a language model can be asked for, whichever it is."""

import re
from collections.abc import Callable
from typing import Protocol

OnText = Callable[[str], None]
# A chat template may have opened the thoughts already, so that only their end is in the answer.
_THOUGHTS = re.compile(r"\s*<think>.*?(?:</think>\s*|\Z)|.*</think>\s*", re.DOTALL)


def without_thoughts(text: str) -> str:
    """An answer without what a reasoning model thinks aloud before it.

    >>> without_thoughts("<think>Source 1 or 2?</think> It is free [1].")
    'It is free [1].'
    >>> without_thoughts("<think>Source 1")
    ''
    """
    return text[match.end() :] if (match := _THOUGHTS.match(text)) else text


class Generator(Protocol):
    """Continues a conversation of one instruction and one message."""

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        """The model's whole answer; `on_text` is told each piece as it comes.

        Raises:
            GeneratorError: no model, no answer in time, or one that broke off.
        """

    async def close(self) -> None:
        """Let go of connections and memory."""
