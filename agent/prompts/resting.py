"""Leaves a language model alone for a while after it failed, so that users need not wait for it."""

import asyncio
import time
from collections.abc import Callable

from agent.errors import GeneratorError, PromptError
from agent.prompts.generator import Generator, OnText

PAUSE_S = 30.0


class RestingGenerator:
    """A generator that refuses at once for some seconds after its last failure.

    A prompt that the model cannot take is no failure of the model.

    Args:
        inner: the model.
        pause_s: seconds of rest.
        limit_s: seconds after which an answer counts as a failure; None = the model's own.
        clock: tells seconds that only grow.
    """

    def __init__(
        self,
        inner: Generator,
        pause_s: float = PAUSE_S,
        *,
        limit_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner, self._pause_s, self._limit_s, self._clock = inner, pause_s, limit_s, clock
        self._rests_until = float("-inf")

    @property
    def rests(self) -> bool:
        """Whether it refuses now."""
        return self._clock() < self._rests_until

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        """The model's answer; see `agent.prompts.generator.Generator.generate`."""
        if self.rests:
            raise GeneratorError("the language model failed a moment ago and is left alone")
        try:
            return await self._in_time(system, user, on_text)
        except PromptError:
            raise
        except GeneratorError:
            self._rests_until = self._clock() + self._pause_s
            raise

    async def _in_time(self, system: str, user: str, on_text: OnText | None) -> str:
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._inner.generate(system, user, on_text=on_text)
        except TimeoutError as error:
            message = f"the language model gave no answer in {self._limit_s:g} s"
            raise GeneratorError(message) from error

    async def close(self) -> None:
        """Let the model go."""
        await self._inner.close()
