"""Messages that arrive together are understood together: one forward pass for all of them."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent.turn import Understanding

Understand = Callable[[Sequence[str]], Sequence[Understanding]]
PATIENCE_S = 0.003
"""How long a batch waits at most for messages that are on their way."""


@dataclass(slots=True)
class Together:
    """Gathers the texts that are asked for at the same time.

    A message that comes alone is understood at once; where others are `announced`, which
    takes a look at the store, it waits for them, at most `PATIENCE_S`.
    """

    _waiting: dict[Understand, list[tuple[str, "asyncio.Future[Understanding]"]]] = field(
        default_factory=dict
    )
    _announced: int = 0
    _patience: asyncio.TimerHandle | None = None

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Within the block somebody is about to ask."""
        self._announced += 1
        try:
            yield
        finally:
            self._announced -= 1
            self._look_soon()

    def understand(self, by: Understand, text: str) -> "asyncio.Future[Understanding]":
        """What a text means to a model's `understand`, soon.

        The future may be dropped; its error is then nobody's.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Understanding] = loop.create_future()
        future.add_done_callback(_seen)
        self._waiting.setdefault(by, []).append((text, future))
        self._look_soon()
        return future

    def _look_soon(self) -> None:
        """When the event loop comes round again, so that those who ask next come along."""
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Run, unless somebody is on the way."""
        if not self._announced:
            self._run()
        elif self._waiting and self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(PATIENCE_S, self._run)

    def _run(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        waiting, self._waiting = self._waiting, {}
        for by, asked in waiting.items():
            wanted = [(text, future) for text, future in asked if not future.done()]
            try:
                found = by([text for text, _ in wanted])
            except Exception:
                # One text must not cost the others their answers.
                _one_by_one(by, wanted)
                continue
            for (_, future), heard in zip(wanted, found, strict=True):
                future.set_result(heard)


def _one_by_one(
    by: Understand, wanted: Sequence[tuple[str, "asyncio.Future[Understanding]"]]
) -> None:
    for text, future in wanted:
        try:
            future.set_result(by([text])[0])
        except Exception as error:
            future.set_exception(error)


def _seen(future: "asyncio.Future[Understanding]") -> None:
    """Mark an error as seen: whoever awaits the future gets it all the same."""
    if not future.cancelled():
        future.exception()
