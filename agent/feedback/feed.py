"""Keeps the accepted corrections of this process in step with the store."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent.feedback.correction import Correction
from agent.storage.connection import StoreAwayError
from agent.storage.store import Store
from agent.turn import Entity
from agent.understanding.memory import CorrectionMemory, MemoryEntry

EXTRACTOR = "correction"
Learned = Mapping[str, str | None]
"""What a model has learned: corrections' ids and contents (None: whatever it is)."""
NOTHING_LEARNED: Learned = {}
_log = logging.getLogger(__name__)


class CorrectionFeed:
    """The accepted corrections, read once and then followed; what was decided last stands last.

    `refresh` before a turn makes a correction that anybody was told is accepted count in it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._position: str | None = None
        self.accepted: dict[str, Correction] = {}

    async def refresh(self, changed: Callable[[Correction], None] = lambda _: None) -> None:
        """Read what is new; `changed` is told each correction whose state or content changed.

        While Redis is away the corrections that are known go on to hold.
        """
        try:
            if self._position is None:
                self._position = await self._store.corrections_position()
                accepted = await self._store.corrections("accepted")
                for correction in sorted(accepted, key=lambda one: one.decided):
                    self._take(correction, changed)
            await self._follow(changed)
        except StoreAwayError as error:
            _log.warning("corrections are not followed: %s", error)

    async def _follow(self, changed: Callable[[Correction], None]) -> None:
        while changes := await self._store.correction_changes(self._position or "0-0"):
            for change in changes:
                self._position = change.position
                if change.correction is not None:
                    self._take(change.correction, changed)
                elif change.correction_id in self.accepted:
                    gone = self.accepted.pop(change.correction_id)
                    changed(gone.moved("rejected", "forgotten"))

    def _take(self, correction: Correction, changed: Callable[[Correction], None]) -> None:
        known = self.accepted.pop(correction.id, None)
        if correction.state == "accepted":
            self.accepted[correction.id] = correction  # the last one now
        elif known is None:
            return
        changed(correction)


def learned_by(manifest: Mapping[str, Any]) -> Learned:
    """The corrections that a model gets right by itself, by its manifest."""
    contents = manifest.get("contents") or {}
    return {one: contents.get(one) for one in manifest.get("learned", ())}


def remember(
    memory: CorrectionMemory, correction: Correction, learned: Learned = NOTHING_LEARNED
) -> None:
    """Bring the memory up to date with one correction.

    One that is not accepted (any more) is forgotten. One that the model has `learned` with
    this content retires, unless it gives an answer, which no model learns.
    """
    memory.remove(correction.id)
    as_taught = correction.id in learned and learned[correction.id] in (None, correction.content)
    retired = as_taught and correction.answer is None
    if correction.state == "accepted" and correction.kind != "thumbs":
        memory.add(replace(memory_entry(correction), retired=retired))


def memory_entry(correction: Correction) -> MemoryEntry:
    """What the memory keeps of a correction."""
    entities = None
    if correction.entities is not None:
        entities = tuple(
            Entity(
                label=e.label,
                start=e.start,
                end=e.end,
                text=correction.text[e.start : e.end],
                value=e.value,
                role=e.role,
                group=e.group,
                extractor=EXTRACTOR,
            )
            for e in correction.entities
        )
    return MemoryEntry(
        correction.id,
        correction.text,
        correction.intent,
        entities,
        correction.answer,
        correction.labels,
    )
