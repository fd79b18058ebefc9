"""The review queue: what is most worth a reviewer's minute, who looks at it, what was decided."""

import difflib
import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from rapidfuzz import fuzz

from agent.errors import AgentError
from agent.feedback.agreement import Agreement, measure_agreement
from agent.feedback.correction import Correction, check_intent
from agent.feedback.folding import Consult
from agent.feedback.intake import Intake, draw
from agent.feedback.judging import Ruling, rule, take_back
from agent.feedback.queue_item import (
    Conflict,
    Judgement,
    QueueItem,
    ReasonKind,
    mark,
    words_of,
)
from agent.feedback.signals import Signal
from agent.feedback.worth import assess
from agent.settings import FeedbackSettings
from agent.storage.corrections import ConflictError
from agent.storage.store import Store
from agent.turn import OOS_INTENT, now
from agent.understanding.memory import fold
from knowledge.errors import InputError

Shown = Literal["open", "done", "all"]
# How many of a list are varied together.
_BLOCK = 100
_CLAIMED_FROM = 30
_DRAWN_EVERY = 5
_DRAWN = 100
_ACTIVE_S = 7 * 86400.0
_ALIKE = 92.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of the audit log: who did what to which item; `detail` says what became of it."""

    at: datetime
    by: str
    item_id: str
    text: str
    action: str
    detail: str


class ReviewQueue:
    """What waits for reviewers. A decision counts on the next message, in every process.

    Args:
        store: where it lives.
        settings: lease, shares and length.
        consult: the serving model's opinion of texts, for near-duplicates and disagreement.
        intents: the intents a message may be corrected to; None: any name.
        listeners: told each correction that a decision wrote, in this process.
    """

    def __init__(
        self,
        store: Store,
        settings: FeedbackSettings,
        *,
        consult: Consult | None = None,
        intents: Callable[[], Sequence[str]] | None = None,
        listeners: Sequence[Callable[[Correction], None]] = (),
    ) -> None:
        self._store, self._settings = store, settings
        self._intents, self._listeners = intents, tuple(listeners)
        self._intake = Intake(store, consult, settings.draw, settings.queue_length)

    async def refresh(self) -> int:
        """Take in new turns, feedback and signals; how many there were."""
        return await self._intake.refresh()

    async def signal(self, signal: Signal) -> None:
        """Take a sign that a channel noticed itself."""
        await self._intake.signal(signal)

    async def items(
        self,
        *,
        state: Shown = "open",
        reason: ReasonKind | None = None,
        search: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> list[QueueItem]:
        """Items, the most worth first (done ones: the latest first).

        Args:
            state: `open` includes the disputed ones.
            reason: only items that are there for this reason.
            search: words that the text, its intent or a proposal must hold.
            offset: how many to pass over.
            limit: how many to give.
        """
        words = search.replace("\x1f", " ").casefold().split()
        words += [mark(reason)] if reason else []
        end = offset + limit
        # Whole blocks, so that no item stands on two pages of a list.
        first, last = offset // _BLOCK * _BLOCK, -(-end // _BLOCK) * _BLOCK
        ids = [] if state == "done" else await self._ids(words, last, done=False)
        waiting = _holding(words, await self._loaded(ids[first:]))
        blocks = [waiting[begin : begin + _BLOCK] for begin in range(0, len(waiting), _BLOCK)]
        found = [item for block in blocks for item in varied(block)][offset - first : end - first]
        if state != "open" and len(ids) < end:
            done = await self._ids(words, end - len(ids), done=True)
            found += _holding(words, await self._loaded(done[max(offset - len(ids), 0) :]))
        return found

    async def counts(self) -> dict[str, int]:
        """How many items are `open`, of these `disputed` and `held`, and how many `done`."""
        return await self._store.queue.counts()

    async def item(self, item_id: str) -> QueueItem:
        """One item with what contradicts it.

        Raises:
            InputError: there is none.
        """
        found = await self._found(item_id)
        return replace(found, conflicts=tuple(await self._conflicts(found)))

    async def claim(self, reviewer: str, item_id: str | None = None) -> QueueItem | None:
        """Hold an item for `feedback.lease_s` seconds: this one, or the best that is free.

        Every fifth one is one that was drawn at random, so that there is always a measure of
        the traffic. None if nothing is left for this reviewer.

        Raises:
            ConflictError: another reviewer holds it.
            InputError: there is no such item.
        """
        lease_s = self._settings.lease_s
        if item_id is not None:
            await self._store.queue.claim(item_id, reviewer, lease_s)
            return await self.item(item_id)
        for item in await self._claimable(reviewer):
            try:
                await self._store.queue.claim(item.id, reviewer, lease_s)
            except (ConflictError, InputError):
                continue  # somebody was quicker
            return await self.item(item.id)
        return None

    async def renew(self, item_id: str, reviewer: str) -> QueueItem:
        """Hold an item longer; see `claim`."""
        await self._store.queue.claim(item_id, reviewer, self._settings.lease_s)
        return await self._found(item_id)

    async def release(self, item_id: str, reviewer: str) -> None:
        """Give an item back without a verdict.

        Raises:
            ConflictError: another reviewer holds it.
        """
        await self._store.queue.release(item_id, reviewer)

    async def decide(
        self,
        item_id: str,
        reviewer: str,
        judgement: Judgement,
        *,
        revision: int | None = None,
        texts: Sequence[str] = (),
    ) -> QueueItem:
        """Judge an item; what it changes is written in one step and counts at once.

        Args:
            item_id: which.
            reviewer: who judges.
            judgement: what is said.
            revision: the one that the reviewer saw; None: whatever it is.
            texts: further wordings of the item that the verdict holds for.

        Raises:
            ConflictError: another reviewer holds it, or it was changed since.
            InputError: it is unknown or done, or the judgement is not sound.
        """
        item = await self._found(item_id)
        if revision is not None and revision != item.revision:
            raise ConflictError("this item was changed by somebody else: look at it again")
        if judgement.kind == "correct" and judgement.intent is not None:
            self._check_intent(judgement.intent, new=judgement.new_intent)
        ruling = rule(
            item,
            reviewer,
            judgement,
            await self._named(item),
            texts=texts,
            second_wanted=await self._second_wanted(item, reviewer),
        )
        return await self._write(ruling, reviewer, judgement.kind)

    async def undo(self, item_id: str, reviewer: str) -> QueueItem:
        """Take the reviewer's last verdict on an item back, with all that it did.

        Raises:
            InputError: the last verdict is another's, or there is none.
            ConflictError: somebody else holds it, or changed it since.
        """
        item = await self._found(item_id)
        ruling = take_back(item, reviewer, await self._named(item))
        return await self._write(ruling, reviewer, "undo")

    async def history(self, *, limit: int = 100) -> list[HistoryLine]:
        """Who did what, latest first; the text of a forgotten item is empty."""
        lines = await self._store.queue.log(limit)
        items = await self._store.queue.many([line["item"] for line in lines])
        return [
            HistoryLine(
                datetime.fromtimestamp(float(line["at"]), UTC),
                line["by"],
                line["item"],
                item.text if item else "",
                line["action"],
                _detail(item, line["by"]),
            )
            for line, item in zip(lines, items, strict=True)
        ]

    async def agreement(self, *, limit: int = 2000) -> Agreement:
        """How far reviewers agree, over the latest items."""
        twice = [mark("twice")]
        ids = await self._ids(twice, limit, done=True) + await self._ids(twice, limit, done=False)
        return measure_agreement(await self._loaded(ids))

    async def _ids(self, words: Sequence[str], count: int, *, done: bool) -> list[str]:
        if words:
            return await self._store.queue.find(words, done=done, count=count)
        return await self._store.queue.ids(done=done, count=count)

    async def _loaded(self, ids: Sequence[str]) -> list[QueueItem]:
        return [one for one in await self._store.queue.many(ids) if one is not None]

    async def _found(self, item_id: str) -> QueueItem:
        found = await self._store.queue.get(item_id)
        if found is None:
            raise InputError(f"there is no item {item_id[:80]!r} in the review queue")
        return found

    async def _claimable(self, reviewer: str) -> list[QueueItem]:
        """What this reviewer may be given, best first; every fifth time drawn ones first."""
        free: list[QueueItem] = []
        held: list[QueueItem] = []
        seen = 0
        while ids := await self._store.queue.ids(offset=seen, count=_BLOCK):
            seen += len(ids)
            for item in await self._loaded(ids):
                if not item.judged_by(reviewer):
                    (held if item.held and item.held.by != reviewer else free).append(item)
            if len(free) >= _CLAIMED_FROM:
                break
        mine = [item for item in free if item.held]
        taken = Counter(item.predicted.intent for item in held)
        ordered = mine or varied(free, taken)
        done = (await self._store.queue.counts())["done"]
        if not mine and done % _DRAWN_EVERY == _DRAWN_EVERY - 1:
            drawn = [one for one in await self._drawn() if not one.judged_by(reviewer)]
            ordered = [*(one for one in drawn if one.held is None), *ordered]
        return ordered

    async def _drawn(self) -> list[QueueItem]:
        """Drawn items that wait, oldest first."""
        items = await self._loaded(await self._ids([mark("drawn")], _DRAWN, done=False))
        return sorted((one for one in items if one.drawn), key=lambda one: one.first_at)

    async def _second_wanted(self, item: QueueItem, reviewer: str) -> bool:
        """Whether another reviewer shall judge this item, too; only if there is another one."""
        if draw(f"second:{item.id}") >= self._settings.double_check:
            return False
        active = await self._store.queue.reviewers_since(now().timestamp() - _ACTIVE_S)
        return any(name != reviewer for name in active)

    async def _named(self, item: QueueItem) -> dict[str, Correction]:
        """The stored corrections that an item's wishes and verdicts name, by id."""
        ids = {one.correction_id for one in item.asked}
        ids.update(one for verdict in item.verdicts for one in verdict.corrections)
        return {one.id: one for one in await self._store.corrections_of(sorted(ids))}

    async def _write(self, ruling: Ruling, reviewer: str, action: str) -> QueueItem:
        item = assess(ruling.item)
        await self._store.queue.judge(item, reviewer, action, ruling.changes)
        for changed, _ in ruling.changes:
            self._tell(changed)
        return await self._found(item.id)

    def _tell(self, correction: Correction) -> None:
        for listener in self._listeners:
            try:
                listener(correction)
            except AgentError as error:
                _log.error("a listener could not take correction %s: %s", correction.id, error)

    def _check_intent(self, name: str, *, new: bool) -> None:
        check_intent(name)
        known = self._intents() if self._intents is not None else ()
        if known and name not in known and name != OOS_INTENT and not new:
            close = difflib.get_close_matches(name, known, n=3)
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise InputError(f"{name!r} is no intent of this assistant{hint}")

    async def _conflicts(self, item: QueueItem) -> list[Conflict]:
        """Accepted corrections and training examples of (almost) this text, of several intents."""
        own = fold(item.text)
        found = [
            Conflict(one.text, one.intent, "correction", one.id)
            for one in await self._store.corrections("accepted")
            if one.intent is not None and _alike(own, fold(one.text))
        ]
        found += [
            Conflict(one.text, one.intent, "example")
            for one in item.nearest
            if one.intent is not None and _alike(own, fold(one.text))
        ]
        wished = {p.intent for p in item.proposals if p.intent} | {item.predicted.intent}
        names = {one.intent for one in found}
        return found if len(names) > 1 or names - wished else []


def _holding(words: Sequence[str], items: Sequence[QueueItem]) -> list[QueueItem]:
    return [item for item in items if all(word in words_of(item) for word in words)]


def varied(items: Sequence[QueueItem], taken: Counter[str | None] | None = None) -> list[QueueItem]:
    """Items by score, each less worth the more of its predicted intent come before it.

    Args:
        items: in any order.
        taken: how many of each predicted intent others are looking at.
    """
    seen = Counter(taken or {})
    ranked = []
    for item in sorted(items, key=lambda one: -one.score):
        ranked.append((item.score / math.sqrt(1.0 + 0.05 * seen[item.predicted.intent]), item))
        seen[item.predicted.intent] += 1
    return [item for _, item in sorted(ranked, key=lambda pair: -pair[0])]


def _alike(first: str, second: str) -> bool:
    return first == second or fuzz.token_sort_ratio(first, second) >= _ALIKE


def _detail(item: QueueItem | None, reviewer: str) -> str:
    """What the reviewer's last verdict on an item said."""
    said = [v for v in (item.verdicts if item else ()) if v.by == reviewer]
    if not said:
        return ""
    last = said[-1]
    return last.intent or last.answer or last.reason
