"""Feedback: takes corrections, acknowledges them when they are durable, and has them reviewed."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from agent.errors import AgentError
from agent.feedback.correction import Correction, QuotaError, State, check, check_apart
from agent.feedback.masking import mask, mask_annotations, mask_value
from agent.feedback.names import (
    NO_NAMES,
    NameLabels,
    heard_names,
    mask_correction,
    mask_values,
    name_spans,
)
from agent.feedback.records import completed, logged_text, prediction
from agent.feedback.submission import Author, Said, draft, valued
from agent.project.types import EntityAnnotation
from agent.storage.connection import StoreAwayError
from agent.storage.store import Store
from agent.turn import Turn
from agent.turn_record import turn_record
from knowledge.errors import InputError

TERMINAL = "terminal"
ANONYMOUS = Author()
Offsets = Literal["original", "logged"]
_log = logging.getLogger(__name__)


class Feedback:
    """What users and reviewers say about turns.

    A call returns when the store has the correction (on its disk, with the embedded server)
    or, while Redis is away, the spool has it. The same id again changes nothing.

    Args:
        store: where corrections live; its spool takes them while Redis is away.
        masking: whether personal data is replaced in texts, answers and entity values.
        names: the entities that are names of people, masked where the model found them.
        listeners: told each correction after it became durable, in this process.
        daily_quota: how many corrections one who is no reviewer may give in a UTC day.
    """

    def __init__(
        self,
        store: Store,
        *,
        masking: bool = True,
        names: NameLabels = NO_NAMES,
        listeners: Sequence[Callable[[Correction], None]] = (),
        daily_quota: int | None = None,
    ) -> None:
        self._store, self._masking, self._listeners = store, masking, tuple(listeners)
        self._names, self._daily_quota = names, daily_quota

    async def submit(
        self,
        turn: Turn | str | None,
        said: Said,
        author: Author = ANONYMOUS,
        *,
        text: str | None = None,
        correction_id: str | None = None,
        offsets: Offsets = "original",
    ) -> Correction:
        """Take feedback about a turn (or a text); accepted at once only from a reviewer.

        Args:
            turn: the turn, its id, or None for a text of its own.
            said: what should have been.
            author: who says so.
            text: the message, if there is no turn.
            correction_id: makes a repeated request harmless; a new one unless given.
            offsets: whether entities count in the message as it was written or as the log
                shows it, with placeholders.

        Raises:
            InputError: the content is not sound, or the turn is unknown.
            QuotaError: this author has given as much feedback today as is taken.
            StoreError: neither the store nor the spool could take it.
        """
        check_apart(said.entities or ())
        drafted = draft(said, author, text=text or "", correction_id=correction_id)
        about = await self._about(drafted, turn, offsets)
        if author.trust != "reviewer" and self._daily_quota is not None:
            await self._charge(about, self._daily_quota)
        return await self._keep(about)

    async def _charge(self, correction: Correction, quota: int) -> None:
        """Count a piece of feedback; without Redis nobody can count, and the spool is bounded."""
        giver = correction.author
        if correction.trust == "anonymous":
            giver = f"anonymous:{correction.conversation_id or giver}"
        try:
            given = await self._store.charge(giver, correction.id)
        except StoreAwayError:
            return
        if given > quota:
            raise QuotaError(quota)

    async def correct(
        self,
        turn: Turn | str | None,
        *,
        text: str | None = None,
        intent: str | None = None,
        entities: Sequence[EntityAnnotation] | None = None,
        answer: str | None = None,
        labels: Mapping[str, str] | None = None,
        reviewer: str = TERMINAL,
        correction_id: str | None = None,
    ) -> Correction:
        """A reviewer's correction, accepted at once; see `submit`.

        Entities of a turn given by its id count in the text as the log shows it.
        """
        return await self.submit(
            turn,
            Said(intent, entities, answer, labels=labels or {}),
            Author(reviewer, "reviewer"),
            text=text,
            correction_id=correction_id,
            offsets="logged" if isinstance(turn, str) else "original",
        )

    async def thumbs(
        self, turn: Turn | str, *, up: bool, reason: str = "", reviewer: str = TERMINAL
    ) -> Correction:
        """A reviewer's judgement that a turn was right, or was not."""
        said = Said(liked=up, reason=reason)
        return await self.submit(turn, said, Author(reviewer, "reviewer"))

    async def accept(
        self,
        correction_id: str,
        *,
        by: str = TERMINAL,
        reason: str = "",
        intent: str | None = None,
        entities: Sequence[EntityAnnotation] | None = None,
        answer: str | None = None,
    ) -> Correction:
        """Accept a correction, with what the reviewer put right in it.

        One that is accepted already stays as it is. See `move` for the errors.
        """
        found = await self.show(correction_id)
        given = None if entities is None else tuple(entities)
        amended = self._filled(found.amended(intent=intent, entities=given, answer=answer))
        if found.state == "accepted" and amended == found:
            return found
        if found.state == "accepted":
            amended = replace(amended, state="pending")
        return await self._change(found, check(amended).moved("accepted", by, reason=reason))

    async def reject(
        self, correction_id: str, *, by: str = TERMINAL, reason: str = ""
    ) -> Correction:
        """Reject a correction; it stays in the history and never trains a model."""
        return await self.move(correction_id, "rejected", by=by, reason=reason)

    async def move(
        self, correction_id: str, state: State, *, by: str = TERMINAL, reason: str = ""
    ) -> Correction:
        """Bring a correction into a state; nothing happens if it is in it.

        Raises:
            InputError: there is no such correction.
            ConflictError: somebody else changed it at the same time.
            StoreAwayError: Redis is away; a review needs the present state.
        """
        found = await self.show(correction_id)
        if found.state == state:
            return found
        return await self._change(found, found.moved(state, by, reason=reason))

    async def show(self, correction_id: str) -> Correction:
        """A correction by its id, or by a beginning of it that only one has.

        Raises:
            InputError: there is none, or several fit.
        """
        found = await self._store.correction(correction_id)
        if found is not None:
            return found
        fits = [c for c in await self.list() if correction_id and c.id.startswith(correction_id)]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise InputError(f"{len(fits)} corrections begin with {correction_id!r}: write more")
        raise InputError(f"there is no correction {correction_id!r}: see `agent feedback list`")

    async def list(
        self, state: State | None = None, *, limit: int | None = None, newest: bool = False
    ) -> list[Correction]:
        """The corrections in a state (None: in any), oldest first unless `newest`."""
        return await self._store.corrections(state, limit=limit, newest=newest)

    async def keep(self, correction: Correction) -> Correction:
        """Store a finished correction (an imported one), masked and checked; see `submit`."""
        spans = name_spans(correction.text, correction.predicted.entities, self._names)
        return await self._keep(self._masked(check(correction), spans))

    async def _about(
        self, correction: Correction, turn: Turn | str | None, offsets: Offsets
    ) -> Correction:
        """The correction with its turn's text and prediction, masked and checked."""
        if isinstance(turn, Turn):
            record = turn_record(turn)
            about = replace(
                correction,
                turn_id=turn.id,
                conversation_id=turn.message.conversation_id,
                text=turn.message.text,
                predicted=prediction(record),
            )
            heard = {**record["understanding"], "text": about.text}
            return self._masked(check(valued(about)), heard_names(heard, self._names))
        if turn is not None:
            return await self._about_logged(replace(correction, turn_id=turn), offsets)
        if not correction.text.strip():
            raise InputError("nothing to correct: name a turn, or give a text")
        return self._masked(check(valued(correction)))

    async def _about_logged(self, correction: Correction, offsets: Offsets) -> Correction:
        """The same for a turn in the log; while Redis is away its text is filled in later."""
        turn_id = str(correction.turn_id)
        try:
            record = await self._store.turn(turn_id)
        except StoreAwayError:
            record = self._spooled_turn(turn_id)
            if record is None:
                return self._masked(replace(correction, text=""))
        if record is None:
            return completed(correction, None)
        entities = correction.entities
        if entities is not None and offsets == "original":
            entities = mask_annotations(logged_text(record), entities)
        # The log's text is masked already: only what came with the correction is new.
        about = self._masked(replace(correction, entities=entities, text=""))
        return self._filled(completed(about, record))

    def _spooled_turn(self, turn_id: str) -> dict[str, object] | None:
        """A turn that waits in the spool itself."""
        if self._store.spool is None:
            return None
        for entry in self._store.spool.entries():
            if entry.kind == "turn" and entry.record["turn"].get("id") == turn_id:
                return dict(entry.record["turn"])
        return None

    async def _keep(self, correction: Correction) -> Correction:
        """Make a new correction durable, then let this process know.

        Returns:
            The correction, or the one that was stored under its id before.
        """
        try:
            if not await self._store.add_correction(correction):
                return await self._store.correction(correction.id) or correction
        except StoreAwayError as error:
            await self._spool(correction, None, error)
        self._tell(correction)
        return correction

    async def _change(self, found: Correction, changed: Correction) -> Correction:
        """Make a changed correction durable, then let this process know."""
        try:
            await self._store.set_correction_state(changed, expected_revision=found.revision)
        except StoreAwayError as error:
            await self._spool(changed, found.revision, error)
        self._tell(changed)
        return changed

    async def _spool(
        self, correction: Correction, expected: int | None, error: StoreAwayError
    ) -> None:
        if self._store.spool is None:
            raise error
        _log.warning("a correction waits on the disk: %s", error)
        await self._store.spool.add_correction(correction, expected_revision=expected)

    def _tell(self, correction: Correction) -> None:
        for listener in self._listeners:
            try:
                listener(correction)
            except AgentError as error:
                _log.error("a listener could not take correction %s: %s", correction.id, error)

    def _filled(self, correction: Correction) -> Correction:
        """The correction whose entities all have a value; of what is masked it is masked, too."""
        filled = valued(correction)
        if not self._masking or filled.entities is None:
            return filled
        return replace(filled, entities=mask_values(filled.text, filled.entities))

    def _masked(self, correction: Correction, names: Sequence[tuple[int, int]] = ()) -> Correction:
        """The correction without its user's personal data, `names` in its text included.

        A reviewer's answer keeps its numbers and addresses: they are the assistant's own.
        """
        if not self._masking:
            return correction
        by_reviewer = correction.trust == "reviewer"
        return replace(
            mask_correction(correction, mask(correction.text, names)),
            answer=correction.answer if by_reviewer else mask_value(correction.answer),
            reason=mask_value(correction.reason),
        )
