"""Turns, feedback and signals on their way into the review queue."""

import hashlib
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.errors import AgentError, StoreError
from agent.feedback.correction import Correction
from agent.feedback.folding import Consult, Fold, Opinion, item_id, pack
from agent.feedback.proposed import with_proposed
from agent.feedback.queue_item import (
    KEPT,
    Noticed,
    QueueItem,
    Sighting,
    Verdict,
    asked_by,
)
from agent.feedback.records import prediction
from agent.feedback.signals import ABANDONED_S, Heard, Signal, heard, notice
from agent.feedback.worth import WORTH_A_LOOK, assess
from agent.storage.codec import decode, encode
from agent.storage.connection import StoreAwayError
from agent.storage.corrections import ConflictError
from agent.storage.review import MOST_TRIES, Effect, Entry
from agent.storage.store import Store
from agent.storage.turns import read_turn
from agent.turn import IntentScore, now

_SHOWN = 5
_MOST_ASKED = 50
# A model this far ahead of its second guess is asked for no second opinion.
_CLEAR = 0.95
_HEARD = TypeAdapter(Heard)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Intake:
    """Brings the queue up to date with the streams; several processes may do so at once.

    Args:
        store: where streams and queue are.
        consult: the model's opinion of texts; None: nothing is folded but equal texts.
        draw: share in [0, 1] of turns that are drawn at random.
        length: how many items may wait.
    """

    store: Store
    consult: Consult | None = None
    draw: float = 0.0
    length: int = 5000
    _fold: Fold = field(default_factory=Fold)
    _name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")

    async def refresh(self) -> int:
        """Take in what is new; how many entries there were."""
        taken = 0
        while entries := await self.store.queue.entries(self._name):
            opinions = await self._opinions(entries)
            for entry in entries:
                await self._take(entry, opinions.get(entry.position))
            taken += len(entries)
        taken += await self._leavings()
        if taken:
            await self._trim()
        return taken

    async def _opinions(self, entries: Sequence[Entry]) -> dict[str, Opinion]:
        """The model's opinion of those new messages that may need a look, by entry."""
        if self.consult is None:
            return {}
        wanted = {}
        for entry in entries:
            record = await self._record(entry)
            if record is not None and _doubtful(record):
                wanted[entry.position] = str(record["message"]["text"])
        found = self.consult(list(wanted.values())) if wanted else []
        return dict(zip(wanted, found, strict=True))

    async def _record(self, entry: Entry) -> dict[str, Any] | None:
        if "turn" not in entry.fields:
            return None
        try:
            return read_turn((entry.position, entry.fields))
        except AgentError:
            return None

    async def _take(self, entry: Entry, opinion: Opinion | None) -> None:
        """Work on one entry; one that fails again and again is put aside."""
        for _ in range(MOST_TRIES):
            try:
                await self.store.queue.take_in(entry, await self._effect(entry, opinion))
                return
            except ConflictError:
                continue
            except StoreAwayError:
                raise
            except (AgentError, ValueError, KeyError, TypeError) as error:
                await self._failed(entry, error)
                return
        _log.warning("entry %s of the queue was busy; it is tried later", entry.position)

    async def _failed(self, entry: Entry, error: Exception) -> None:
        if await self.store.queue.tries(entry) < MOST_TRIES and isinstance(error, StoreError):
            _log.warning("entry %s waits for another try: %s", entry.position, error)
            return
        _log.error("entry %s of the queue is put aside: %r", entry.position, error)
        await self.store.queue.bury(entry, repr(error))

    async def _effect(self, entry: Entry, opinion: Opinion | None) -> Effect:
        if "turn" in entry.fields:
            record = read_turn((entry.position, entry.fields))
            return await self._turn(record, opinion)
        return await self._feedback(entry.fields["correction"], entry.fields.get("item"))

    # A turn

    async def _turn(self, record: dict[str, Any], opinion: Opinion | None) -> Effect:
        """The item of a turn's message, and what the turn says about the one before it."""
        present = heard(record)
        conversation = str(record["message"].get("conversation_id") or "")
        signals = notice(await self._before(conversation), record)
        items: dict[str, QueueItem] = {}
        for signal in signals:
            if signal.turn_id != present.turn_id:
                await self._blame(signal, items)
        mine = await self._seen(record, opinion, items)
        own = [s for s in signals if s.turn_id == present.turn_id]
        mine = replace(mine, noticed=_with_noticed(mine.noticed, own))
        if _usable(record) and self._belongs(mine, record):
            items[mine.id] = assess(mine)
        return Effect(
            list(items.values()),
            conversation,
            encode({"heard": _HEARD.dump_python(present, mode="json")}),
            str(present.at.timestamp()) if present.failed else "-",
            [encode({"signal": _plain(signal)}) for signal in signals],
        )

    async def _before(self, conversation: str) -> Heard | None:
        text = await self.store.queue.latest(conversation)
        if text is None:
            return None
        try:
            return _HEARD.validate_python(decode(text, "a conversation's latest turn")["heard"])
        except (StoreError, ValidationError, KeyError):
            return None  # it only helps to notice signals

    async def _seen(
        self, record: dict[str, Any], opinion: Opinion | None, items: dict[str, QueueItem]
    ) -> QueueItem:
        """The item that a turn's message belongs to, with this message counted in."""
        text = str(record["message"].get("text") or "")
        guess = prediction(record)
        found = await self._home(text, guess.intent, opinion)
        found = items.get(found.id, found)
        understood = record.get("understanding") or {}
        ranking = understood.get("intent_ranking") or ()
        conversation = record["message"].get("conversation_id")
        known = any(s.conversation_id == conversation for s in found.sightings)
        sighting = Sighting(text, str(record["id"]), conversation)
        return replace(
            found,
            predicted=guess,
            alternatives=tuple(
                IntentScore(str(r["name"]), float(r["confidence"])) for r in ranking[:_SHOWN]
            ),
            nearest=opinion.nearest[:3] if opinion else found.nearest,
            vector=pack(opinion.vector, opinion.model_version) if opinion else found.vector,
            in_scope=understood.get("in_scope"),
            # One person who says it again and again is one voice.
            count=found.count + (0 if known and found.count else 1),
            sightings=(sighting, *(s for s in found.sightings if s != sighting))[:KEPT],
            drawn=found.drawn or draw(str(record["id"])) < self.draw,
            asked=found.asked if found.verdicts else with_proposed(found.asked, record),
            last_at=datetime.fromisoformat(record["message"]["received_at"]),
        )

    async def _home(self, text: str, intent: str | None, opinion: Opinion | None) -> QueueItem:
        """The waiting item of an equal or nearly equal text, else a new one."""
        own = item_id(text)
        found = await self.store.queue.get(own)
        if found is not None:
            return found
        if opinion is not None:
            await self._know_waiting(opinion.model_version)
            near = self._fold.find(intent, opinion.vector)
            found = await self.store.queue.get(near) if near else None
            if found is not None and found.state != "done":
                return found
            self._fold.add(own, intent, pack(opinion.vector, opinion.model_version))
        return QueueItem(own, text)

    async def _know_waiting(self, model: str | None) -> None:
        """Have the vectors of the items that wait."""
        if self._fold.model != (model or ""):
            self._fold = Fold(model or "")
            ids = await self.store.queue.ids()
            for item in await self.store.queue.many(ids):
                if item is not None:
                    self._fold.add(item.id, item.predicted.intent, item.vector)

    def _belongs(self, item: QueueItem, record: dict[str, Any]) -> bool:
        """Whether a message enters the queue: it is there, complained about, drawn or unsure."""
        if item.revision and item.state != "done":
            return True
        if item.verdicts and not item.drawn:
            # Reviewed before: the memory answers it, unless it failed again.
            return bool(item.noticed)
        known = (record.get("understanding") or {}).get("source") == "correction"
        return (
            item.drawn or bool(item.noticed) or (not known and assess(item).score >= WORTH_A_LOOK)
        )

    # Signals

    async def _blame(self, signal: Signal, items: dict[str, QueueItem]) -> None:
        """Put a signal on the item of the turn that it is about."""
        record = await self.store.turn(signal.turn_id)
        if record is None or not _usable(record):
            return
        item = await self._home(str(record["message"]["text"]), None, None)
        item = items.get(item.id, item)
        if not item.sightings:
            item = await self._seen(record, None, items)
        noticed = _with_noticed(item.noticed, [signal])
        if signal.kind == "clarified" and not item.verdicts:
            wish = asked_by(_clarification(signal, item))
            item = replace(item, asked=(*item.asked, wish)[-_MOST_ASKED:])
        items[item.id] = assess(replace(_reopened(item), noticed=noticed))

    async def _leavings(self) -> int:
        """Conversations that fell silent after a failed answer."""
        moment = now().timestamp() - ABANDONED_S
        silent = await self.store.queue.silent_since(moment)
        for conversation in silent:
            before = await self._before(conversation)
            items: dict[str, QueueItem] = {}
            signals = []
            if before is not None:
                signals = [Signal("abandoned", before.turn_id, conversation, "anonymous", now())]
                await self._blame(signals[0], items)
            effect = Effect(
                list(items.values()),
                conversation,
                waits_since="-",
                signals=[encode({"signal": _plain(signal)}) for signal in signals],
            )
            try:
                await self.store.queue.take_in(None, effect)
            except ConflictError:
                continue
        return len(silent)

    async def signal(self, signal: Signal) -> None:
        """Take a signal that a channel reports itself."""
        for _ in range(MOST_TRIES):
            items: dict[str, QueueItem] = {}
            await self._blame(signal, items)
            effect = Effect(
                list(items.values()),
                signal.conversation_id,
                signals=[encode({"signal": _plain(signal)})],
            )
            try:
                await self.store.queue.take_in(None, effect)
                return
            except ConflictError:
                continue

    # Feedback

    async def _feedback(self, correction_id: str, of_item: str | None) -> Effect:
        """A correction's item: a pending one asks for something, a decided one asks no more."""
        correction = await self.store.correction(correction_id)
        if correction is None or of_item is not None:
            return Effect()  # forgotten, or decided in the queue itself
        if correction.trust == "reviewer" or correction.state != "pending":
            return await self._decided(correction)
        item = await self._home(correction.text, correction.predicted.intent, None)
        if any(one.correction_id == correction.id for one in item.asked):
            return Effect()
        sighting = Sighting(correction.text, correction.turn_id, correction.conversation_id)
        known = item.sightings or (sighting,)
        item = replace(
            _reopened(item),
            predicted=item.predicted if item.revision else correction.predicted,
            asked=(*item.asked, asked_by(correction))[-_MOST_ASKED:],
            sightings=known if sighting in known else (*known, sighting)[:KEPT],
            count=max(item.count, 1),
            last_at=correction.created_at,
        )
        return Effect([assess(item)], correction.conversation_id or "")

    async def _decided(self, correction: Correction) -> Effect:
        """Take a decided correction off its item; a reviewer's own settles the item."""
        item = await self.store.queue.get(item_id(correction.text))
        if item is None:
            return Effect()
        asked = tuple(one for one in item.asked if one.correction_id != correction.id)
        settled = correction.state == "accepted" or (
            not asked and len(item.reasons) == 1 and item.reasons[0].kind == "proposal"
        )
        if settled and item.state != "done":
            verdict = Verdict(
                correction.reviewer or correction.author,
                now(),
                "correct" if correction.state == "accepted" else "reject",
                correction.intent,
                correction.entities,
                correction.answer,
                correction.reason,
            )
            item = replace(item, state="done", verdicts=(*item.verdicts, verdict))
        return Effect([assess(replace(item, asked=asked))], correction.conversation_id or "")

    async def _trim(self) -> None:
        """Keep the queue within its length; what was drawn or asked for goes last."""
        waiting = (await self.store.queue.counts())["open"]
        if waiting > self.length:
            await self.store.queue.drop(await self.store.queue.worst(waiting - self.length))
        self._fold.keep_only(await self.store.queue.ids())


def draw(key: str) -> float:
    """A number in [0, 1) that a key always gets, as if drawn at random."""
    digest = hashlib.sha256(f"draw:{key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _usable(record: dict[str, Any]) -> bool:
    """Whether a turn's message can be reviewed: words, and no payload of a button."""
    text = str(record["message"].get("text") or "").strip()
    source = (record.get("understanding") or {}).get("source")
    return bool(text) and not text.startswith("/") and source != "payload"


def _doubtful(record: dict[str, Any]) -> bool:
    if not _usable(record):
        return False
    shares = [float(r["confidence"]) for r in record["understanding"].get("intent_ranking") or ()]
    lead = (shares[0] if shares else 0.0) - (shares[1] if len(shares) > 1 else 0.0)
    return lead < _CLEAR


def _with_noticed(noticed: tuple[Noticed, ...], signals: Sequence[Signal]) -> tuple[Noticed, ...]:
    new = (Noticed(s.kind, s.trust, s.conversation_id) for s in signals)
    return tuple(dict.fromkeys((*noticed, *new)))[-KEPT:]


def _reopened(item: QueueItem) -> QueueItem:
    """A done item that users go on complaining about is looked at once more."""
    return replace(item, state="open", reopened_at=now()) if item.state == "done" else item


def _clarification(signal: Signal, item: QueueItem) -> Correction:
    """What a user chose when asked what was meant; it has no correction of its own."""
    return Correction(
        text=item.text,
        kind="intent",
        author=signal.conversation_id,
        id=f"clarified:{signal.turn_id}"[:64],
        turn_id=signal.turn_id,
        conversation_id=signal.conversation_id,
        intent=signal.intent,
        trust=signal.trust,
        reason="chosen when asked",
    )


def _plain(signal: Signal) -> dict[str, Any]:
    return {**asdict(signal), "at": signal.at.isoformat()}
