"""Messages that arrive together are understood together: one forward pass for all of them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.turn import Understanding

Understand = Callable[[Sequence[str]], Sequence[Understanding]]


@dataclass(slots=True)
class Together:
    """Gathers the texts that are asked for before the event loop comes round again.

    Nobody waits for company: a message that comes alone is understood at once. While a batch
    is computed others arrive, so that batches grow with the load.
    """

    _waiting: dict[Understand, list[tuple[str, "asyncio.Future[Understanding]"]]] = field(
        default_factory=dict
    )

    def understand(self, by: Understand, text: str) -> "asyncio.Future[Understanding]":
        """What a text means to a model's `understand`, soon.

        The future may be dropped; its error is then nobody's.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Understanding] = loop.create_future()
        future.add_done_callback(_seen)
        if not self._waiting:
            loop.call_soon(self._run)
        self._waiting.setdefault(by, []).append((text, future))
        return future

    def _run(self) -> None:
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
