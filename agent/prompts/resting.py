"""Leaves a language model alone for a while after it failed, so that users need not wait for it."""

import time
from collections.abc import Callable

from agent.errors import GeneratorError
from agent.prompts.generator import Generator, OnText

PAUSE_S = 30.0


class RestingGenerator:
    """A generator that refuses at once for some seconds after its last failure.

    Args:
        inner: the model.
        pause_s: seconds of rest.
        clock: tells seconds that only grow.
    """

    def __init__(
        self,
        inner: Generator,
        pause_s: float = PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner, self._pause_s, self._clock = inner, pause_s, clock
        self._rests_until = float("-inf")

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        """The model's answer; see `agent.prompts.generator.Generator.generate`."""
        if self._clock() < self._rests_until:
            raise GeneratorError("the language model failed a moment ago and is left alone")
        try:
            return await self._inner.generate(system, user, on_text=on_text)
        except GeneratorError:
            self._rests_until = self._clock() + self._pause_s
            raise

    async def close(self) -> None:
        """Let the model go."""
        await self._inner.close()
