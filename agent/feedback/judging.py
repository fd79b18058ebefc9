"""What a reviewer's verdict does: to the item, to the users' wishes, to the corrections."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.feedback.correction import Correction, Prediction, State, check
from agent.feedback.queue_item import (
    Asked,
    ItemState,
    Judgement,
    QueueItem,
    Verdict,
    asked_by,
)
from agent.feedback.submission import Said, valued
from agent.project.types import EntityAnnotation
from agent.turn import FALLBACK_INTENT, OOS_INTENT, now
from knowledge.errors import InputError

Change = tuple[Correction, int | None]
"""A correction to write, and the revision that it replaces (None: it is new)."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """An item after a verdict, and the corrections to write with it in one step."""

    item: QueueItem
    changes: tuple[Change, ...] = ()


def rule(
    item: QueueItem,
    reviewer: str,
    judgement: Judgement,
    known: Mapping[str, Correction],
    *,
    texts: Collection[str] = (),
    second_wanted: bool = False,
) -> Ruling:
    """What becomes of an item.

    The first verdict counts at once. A second one that differs takes the first one's effect
    back and leaves the item disputed; the third decides. What users complained of again is
    judged anew, also by who judged it before.

    Args:
        item: an open or disputed item.
        reviewer: who judges.
        judgement: what is said.
        known: the stored corrections by id, those the item names.
        texts: further wordings of the item that it is said of.
        second_wanted: whether another reviewer shall judge the item as well.

    Raises:
        InputError: the judgement does not fit the item.
    """
    if item.state == "done":
        raise InputError("this item is done: take the verdict back first")
    if any(verdict.by == reviewer for verdict in item.opinions):
        raise InputError("you have judged this item: take your verdict back first")
    verdict = _verdict(item, reviewer, judgement)
    if verdict.kind == "skip":
        return Ruling(replace(item, verdicts=(*item.verdicts, verdict)))
    before = item.opinions
    if item.state == "open" and before and not _agree(item, before[-1], verdict):
        return _dispute(item, verdict, known)
    if item.state == "open" and before:
        return Ruling(_settled(item, verdict, "done"))
    changes = tuple(_changes(item, verdict, known, texts))
    return _counted(item, verdict, known, changes, second_wanted=second_wanted)


def take_back(item: QueueItem, reviewer: str, known: Mapping[str, Correction]) -> Ruling:
    """Undo the reviewer's last verdict on an item: its corrections go back to where they were.

    Where it was a second opinion that differed, the first one holds again.

    Raises:
        InputError: the last word on the item is not this reviewer's.
    """
    if not item.verdicts or item.verdicts[-1].by != reviewer:
        raise InputError("the last verdict on this item is not yours: there is nothing to undo")
    verdict = item.verdicts[-1]
    changes = tuple(_reversed(verdict, known, reviewer, "taken back"))
    decided = {changed.id for changed, _ in changes if changed.state != "pending"}
    asked = (*(one for one in item.asked if one.correction_id not in decided), *_wishes(changes))
    state: ItemState = "open"
    if len({v.by for v in item.opinions}) > 2:
        state = "disputed"
    return Ruling(replace(item, verdicts=item.verdicts[:-1], asked=asked, state=state), changes)


def _verdict(item: QueueItem, reviewer: str, judgement: Judgement) -> Verdict:
    intent, entities, answer = judgement.intent, judgement.entities, judgement.answer
    if judgement.kind == "right":
        intent, entities, answer = _as_predicted(item.predicted), item.predicted.entities, None
    elif judgement.kind == "correct":
        if intent is None and entities is None and answer is None:
            raise InputError("nothing is corrected: give an intent, entities or an answer")
    else:
        intent = entities = answer = None
    spans = None if entities is None else tuple(entities)
    return Verdict(reviewer, now(), judgement.kind, intent, spans, answer, judgement.reason)


def _as_predicted(predicted: Prediction) -> str:
    if predicted.intent is None:
        raise InputError("nothing was predicted for this message: say what is right")
    return OOS_INTENT if predicted.intent == FALLBACK_INTENT else predicted.intent


def _counted(
    item: QueueItem,
    verdict: Verdict,
    known: Mapping[str, Correction],
    changes: Sequence[Change],
    *,
    second_wanted: bool,
) -> Ruling:
    """The item after a verdict that counts at once."""
    if item.overtaken:
        changes = tuple(_anew(item, verdict, known, changes))
    noted = _noted(verdict, changes, known)
    state: ItemState = "open" if second_wanted and item.state == "open" else "done"
    decided = {changed.id for changed, _ in changes}
    left = tuple(one for one in item.asked if one.correction_id not in decided)
    return Ruling(_settled(replace(item, asked=left), noted, state), tuple(changes))


def _agree(item: QueueItem, first: Verdict, second: Verdict) -> bool:
    """Whether a second reviewer found what the first one had found, in whatever way it was said.

    Meanwhile the correction may be what the agent understands: then accepting is agreeing.
    """
    if "reject" in (first.kind, second.kind):
        return first.kind == second.kind
    accepts = second.kind == "right"
    silent = first.intent is None and (accepts or second.intent is None)
    marks_less = second.entities is None or (accepts and first.entities is None)
    return (
        (silent or first.intent == (second.intent or item.predicted.intent))
        and (marks_less or _spans(first) == _spans(second))
        and second.answer in (None, first.answer)
    )


def _spans(verdict: Verdict) -> set[tuple[Any, ...]]:
    """Where entities were seen; how a value is written is nothing to disagree about."""
    return {(e.start, e.end, e.label, e.role, e.group) for e in verdict.entities or ()}


def _noted(verdict: Verdict, changes: Sequence[Change], known: Mapping[str, Correction]) -> Verdict:
    """The verdict with what it changes and how that was before, for an undo."""
    return replace(
        verdict,
        corrections=tuple(changed.id for changed, _ in changes),
        before=tuple(
            None if expected is None else known[changed.id].state for changed, expected in changes
        ),
    )


def _settled(item: QueueItem, verdict: Verdict, state: ItemState) -> QueueItem:
    return replace(item, verdicts=(*item.verdicts, verdict), state=state)


def _dispute(item: QueueItem, verdict: Verdict, known: Mapping[str, Correction]) -> Ruling:
    changes = tuple(_reversed(item.opinions[-1], known, verdict.by, "reviewers disagree"))
    asked = (*item.asked, *_wishes(changes))
    noted = _noted(verdict, changes, known)
    return Ruling(_settled(replace(item, asked=asked), noted, "disputed"), changes)


def _changes(
    item: QueueItem, verdict: Verdict, known: Mapping[str, Correction], texts: Collection[str]
) -> Iterator[Change]:
    """The users' wishes decided, and a correction for each wording that no wish covers."""
    covered = set()
    for wish in item.asked:
        correction = known.get(wish.correction_id)
        if correction is None or correction.state != "pending":
            continue
        if _same(wish, verdict):
            if wish.liked is None:  # a thumb says that something is wrong, not what is right
                covered.add(correction.text)
            yield (
                correction.moved("accepted", verdict.by, reason=verdict.reason),
                correction.revision,
            )
        else:
            why = verdict.reason or f"reviewed as {verdict.intent or verdict.kind}"
            yield correction.moved("rejected", verdict.by, reason=why), correction.revision
    if verdict.kind == "reject":
        return
    for text in dict.fromkeys((item.text, *texts)):
        if text not in covered or item.drawn:
            yield _made(item, verdict, text), None


def _anew(
    item: QueueItem, verdict: Verdict, known: Mapping[str, Correction], changes: Sequence[Change]
) -> Iterator[Change]:
    """What a verdict changes where earlier ones are in force: the same again adds nothing."""
    if _agree(item, item.overtaken[-1], verdict):
        yield from (change for change in changes if change[1] is not None)
        return
    named = dict.fromkeys(name for past in item.overtaken for name in past.corrections)
    for old in (known[name] for name in named if name in known):
        if old.state == "accepted" and old.liked is None:
            yield old.moved("rejected", verdict.by, reason="judged anew"), old.revision
    yield from changes


def _made(item: QueueItem, verdict: Verdict, text: str) -> Correction:
    seen = next((s for s in item.sightings if s.text == text), None)
    if seen is None and text != item.text:
        raise InputError(f"{text[:80]!r} is no wording of this item")
    entities: tuple[EntityAnnotation, ...] | None = verdict.entities
    if text != item.text:
        entities = None  # the spans were marked in the item's own text
    made = Correction(
        text=text,
        kind=Said(verdict.intent, entities, verdict.answer).kind,
        author=verdict.by,
        turn_id=seen.turn_id if seen else None,
        conversation_id=seen.conversation_id if seen else None,
        predicted=item.predicted,
        intent=verdict.intent,
        entities=entities,
        answer=verdict.answer,
        reason=verdict.reason,
        source="ops",
        trust="reviewer",
        state="accepted",
        reviewer=verdict.by,
        drawn=item.drawn and text == item.text,
    )
    return check(valued(made))


def _same(wish: Asked, verdict: Verdict) -> bool:
    """Whether a user asked for what the reviewer found; a thumb up says the prediction held."""
    if wish.liked is not None:
        return wish.liked == (verdict.kind == "right")
    if wish.answer is not None and wish.answer != verdict.answer:
        return False
    if wish.intent is not None and wish.intent != verdict.intent:
        return False
    return wish.entities is None or wish.entities == verdict.entities


def _reversed(
    verdict: Verdict, known: Mapping[str, Correction], by: str, reason: str
) -> Iterator[Change]:
    """Each correction of a verdict as it was before it; one that it made is rejected."""
    for correction_id, before in zip(verdict.corrections, verdict.before, strict=True):
        correction = known.get(correction_id)
        if correction is None:
            continue
        target: State = "rejected" if before is None else before
        if correction.state != target:
            yield correction.moved(target, by, reason=reason), correction.revision


def _wishes(changes: Sequence[Change]) -> Iterator[Asked]:
    for changed, _ in changes:
        if changed.state == "pending":
            yield asked_by(changed)
