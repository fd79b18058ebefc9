"""A model on trial beside the one that serves: it predicts in its shadow, or answers some."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from agent.errors import AgentError
from agent.feedback.correction import Correction
from agent.feedback.feed import remember
from agent.registry import Registry, TrialPointer
from agent.turn import Understanding
from agent.understanding.interpreter import Interpreter

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Trial:
    """The model that `models/trial` names, loaded when that file changes.

    Args:
        registry: tells what is on trial.
        load: makes the interpreter of a version; runs in a thread.
    """

    registry: Registry
    load: Callable[[str], Interpreter]
    _pointer: TrialPointer | None = None
    _interpreter: Interpreter | None = None

    async def refresh(self, accepted: Iterable[Correction]) -> None:
        """Load, exchange or drop the model on trial; one that cannot be loaded is left out."""
        pointer = self.registry.trial()
        if pointer == self._pointer:
            return
        self._pointer, self._interpreter = pointer, None
        if pointer is None:
            return
        try:
            self._interpreter = await asyncio.to_thread(self.load, pointer.model)
        except AgentError as error:
            _log.error("the model on trial %s is left out: %s", pointer.model, error)
            return
        for correction in accepted:
            self.remember(correction)

    def remember(self, correction: Correction) -> None:
        """Let an accepted correction count for the model on trial, too."""
        if self._interpreter is not None and self._interpreter.memory is not None:
            remember(self._interpreter.memory, correction)

    def hear(self, heard: Understanding, conversation_id: str) -> Understanding:
        """What is taken of a message: the serving model's understanding, or the trial's.

        In shadow mode the first stays and says what the second made of it; as a canary the
        second answers the share of conversations that a hash of their ids falls into.
        """
        if self._interpreter is None or self._pointer is None or heard.source == "payload":
            return heard
        if self._pointer.mode == "canary":
            if place(conversation_id) >= self._pointer.share:
                return heard
            return self._interpreter.understand([heard.text])[0]
        other = self._interpreter.understand([heard.text])[0]
        return replace(heard, shadow=other.intent)


def place(conversation_id: str) -> float:
    """A number in [0, 1) that a conversation always gets."""
    data = f"canary:{conversation_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(data).digest()[:8]) / 2**64
