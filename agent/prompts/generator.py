"""What a language model can be asked for, whichever it is."""

from collections.abc import Callable
from typing import Protocol

OnText = Callable[[str], None]


class Generator(Protocol):
    """Continues a conversation of one instruction and one message."""

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        """The model's whole answer; `on_text` is told each piece as it comes.

        Raises:
            GeneratorError: no model, no answer in time, or one that broke off.
        """

    async def close(self) -> None:
        """Let go of connections and memory."""
