"""Messages that arrive together are understood together: one forward pass for all of them."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from agent.turn import Understanding

Understand = Callable[[Sequence[str]], Sequence[Understanding]]
PATIENCE_S = 0.003
"""How long an idle event loop waits at most for messages that are on their way."""
BUSY_S = 0.03
"""How long a message waits at most for a busy event loop to have done everything else."""
_QUIET_S = 0.0001  # a round of the event loop that takes less has had nothing else to do
_FULL = 32


@dataclass(slots=True)
class Together:
    """Gathers the texts that are asked for at the same time.

    A forward pass costs much the same for one short text as for three, so it is run when the
    event loop has nothing else to do: what is done before may bring further messages. A message
    that comes alone is understood at once; where others are `announced`, which takes a look at
    the store, it waits for them, at most `PATIENCE_S`.
    """

    _waiting: dict[Understand, list[tuple[str, "asyncio.Future[Understanding]"]]] = field(
        default_factory=dict
    )
    _announced: int = 0
    _since: float = 0.0
    _looking: bool = False
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
        if not self._waiting:
            self._since = perf_counter()
        self._waiting.setdefault(by, []).append((text, future))
        self._look_soon()
        return future

    def _look_soon(self) -> None:
        """When the event loop comes round again, so that those who ask next come along."""
        if self._waiting and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look, perf_counter())

    def _look(self, last: float) -> None:
        """Run if the round of the event loop since `last` had nothing else to do."""
        self._looking = False
        now = perf_counter()
        if now - self._since > BUSY_S or sum(map(len, self._waiting.values())) >= _FULL:
            self._run()
        elif now - last > _QUIET_S:
            self._look_soon()
        elif not self._announced:
            self._run()
        elif self._waiting and self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._run)

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
