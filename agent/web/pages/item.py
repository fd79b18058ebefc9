"""One item of the review queue: all that helps to judge it, and what a reviewer says."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from agent.errors import InputError
from agent.feedback.correction_json import entity_to_dict, parse_entities
from agent.feedback.queue_item import VERDICTS, Judgement, QueueItem, VerdictKind
from agent.project.types import EntityAnnotation
from agent.storage.corrections import ConflictError
from agent.turn import FALLBACK_INTENT, OOS_INTENT, IntentScore
from agent.web.pages.desk import Desk, Form, PageRoute, see
from agent.web.pages.marking import Piece, pieces
from agent.web.security.access import User

SHOWN = 5
REASONS = {
    "unsure": "Unsure",
    "scope": "Outside",
    "disagreement": "Disagreement",
    "complaint": "Complaint",
    "handoff": "Person wanted",
    "proposal": "Feedback",
    "frequent": "Frequent",
    "drawn": "Random draw",
    "dispute": "Dispute",
    "second": "Second look",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told above an item: what was just done, or what went wrong."""

    error: str = ""
    done_id: str = ""
    done: str = ""


def build_router(desk: Desk) -> APIRouter:
    """The routes of one item."""
    router = APIRouter(prefix="/review/items", route_class=PageRoute, include_in_schema=False)
    queue = desk.services.assistant.queue

    @router.get("/{item_id}")
    async def show_item(request: Request, item_id: str, done: str = "", kind: str = "") -> Response:
        user = await desk.user(request)
        return await _item_page(desk, request, user, item_id, await told(desk, done, kind))

    @router.post("/{item_id}")
    async def decide(request: Request, item_id: str) -> Response:
        user, form = await desk.form(request)
        try:
            judged = await queue.decide(
                item_id,
                user.name,
                judgement(form),
                revision=int(form.get("revision")) if form.get("revision").isdigit() else None,
                texts=form.all("texts"),
            )
        except (InputError, ConflictError) as error:
            return await _item_page(desk, request, user, item_id, Told(str(error)), form)
        kind = "dispute" if judged.state == "disputed" else form.get("kind")
        return see(f"/review/next?{urlencode(after(item_id, kind))}")

    @router.post("/{item_id}/undo")
    async def undo(request: Request, item_id: str) -> Response:
        user, _ = await desk.form(request)
        await queue.undo(item_id, user.name)
        return see(f"/review/items/{item_id}")

    @router.post("/{item_id}/release")
    async def release(request: Request, item_id: str) -> Response:
        user, _ = await desk.form(request)
        await queue.release(item_id, user.name)
        return see("/review")

    return router


def judgement(form: Form) -> Judgement:
    """What a reviewer says in the form of an item.

    Raises:
        InputError: no such verdict, or entities that are none.
    """
    kind = form.get("kind")
    if kind not in VERDICTS:
        raise InputError(f"choose what to do with it: {', '.join(VERDICTS)}")
    marked = form.get("entities")
    try:
        entities = parse_entities(json.loads(marked)) if marked else None
    except ValueError as error:
        raise InputError(f"the entities cannot be read: {marked[:120]!r}") from error
    if kind != "correct":
        return Judgement(cast(VerdictKind, kind), reason=form.get("reason"))
    return Judgement(
        "correct",
        intent=form.get("intent") or None,
        entities=entities,
        answer=form.get("answer") or None,
        reason=form.get("reason"),
        new_intent=form.get("new_intent") == "1",
    )


async def _item_page(
    desk: Desk, request: Request, user: User, item_id: str, said: Told, form: Form | None = None
) -> Response:
    """One item with all that helps to judge it; held for who looks, if nobody else holds it."""
    queue = desk.services.assistant.queue
    item = await queue.item(item_id)
    if item.state != "done":
        try:
            item = await queue.claim(user.name, item_id) or item
        except ConflictError as error:
            said = said if said.error else Told(str(error))
    around, explanation, counts = await asyncio.gather(
        _around(desk, item), _explained(desk, item), queue.counts()
    )
    return await desk.page(
        request,
        "item.html",
        item=item,
        told=said,
        around=around,
        turn=around.get("turn"),
        explanation=explanation,
        spans=shown_spans(item),
        marked=marked(item.predicted.entities),
        alternatives=_alternatives(item, around["turn"]),
        given=_given(form),
        reasons=REASONS,
        intents=intent_options(desk),
        labels=entity_labels(desk),
        counts=counts,
    )


def intent_options(desk: Desk) -> list[tuple[str, str]]:
    """Every intent a message may be corrected to, with its title; the last stands for none."""
    named = [(name, desk.title(name)) for name in desk.services.assistant.intents]
    return [*named, (OOS_INTENT, "None of these: outside what the assistant does")]


def entity_labels(desk: Desk) -> list[str]:
    """Every label that an entity may be given."""
    return sorted(desk.services.assistant.brains.loaded.domain.entities)


def shown_spans(item: QueueItem) -> list[Piece]:
    """The item's text in pieces, with the entities that were predicted."""
    return pieces(item.text, item.predicted.entities)


def _alternatives(item: QueueItem, turn: Mapping[str, Any] | None) -> list[IntentScore]:
    """The likeliest intents; those of the logged turn where the item has none (a complaint)."""
    scores = list(item.alternatives)
    if not scores and turn is not None:
        ranking = turn["understanding"].get("intent_ranking", ())
        scores = [IntentScore(one["name"], one["confidence"]) for one in ranking]
    return [score for score in scores if score.intent != FALLBACK_INTENT][:SHOWN]


def marked(entities: Iterable[EntityAnnotation]) -> str:
    """Entities as the JSON that marking on a page starts from."""
    return json.dumps([entity_to_dict(e) for e in entities], ensure_ascii=False)


def _given(form: Form | None) -> Mapping[str, str]:
    """What was typed before something went wrong, so that nothing has to be typed again."""
    names = ("intent", "answer", "reason", "entities")
    return {name: form.get(name) if form else "" for name in names}


async def _around(desk: Desk, item: QueueItem) -> dict[str, Any]:
    """The latest turn of an item that is still in the log, and the conversation around it."""
    store = desk.services.assistant.store
    for turn_id in item.turn_ids:
        turn = await store.turn(turn_id)
        if turn is None:
            continue
        conversation_id = turn["message"]["conversation_id"]
        turns = await store.turns_of(conversation_id, limit=40)
        return {"turn": turn, "turns": near(turns, turn_id), "conversation_id": conversation_id}
    return {"turn": None, "turns": [], "conversation_id": None}


def near(turns: Sequence[dict[str, Any]], turn_id: str, each_side: int = 3) -> list[dict[str, Any]]:
    """The turns around one of them."""
    at = next((i for i, turn in enumerate(turns) if turn["id"] == turn_id), len(turns) - 1)
    return list(turns[max(0, at - each_side) : at + each_side + 1])


async def _explained(desk: Desk, item: QueueItem) -> Any:
    """Which words made the model choose; computed aside, so that no chat user waits for it."""
    interpreter = desk.services.assistant.brains.loaded.interpreter
    return await asyncio.to_thread(interpreter.explain, item.text[:400])


def after(done: str, kind: str) -> dict[str, str]:
    """What the next page is told of the verdict on an item."""
    return {"done": done[:64], "kind": kind[:20]} if done else {}


async def told(desk: Desk, done: str, kind: str) -> Told:
    """What a person is told of a verdict: its item and kind, as an address states them."""
    words = {
        "right": "Accepted: the answer was right.",
        "correct": "Corrected{}. It holds from the next message on.",
        "reject": "Rejected: nothing is learned from it.",
        "skip": "Skipped.",
        "dispute": "Reviewers disagree: neither word holds until a third one decides.",
    }
    if not done or kind not in words:
        return Told()
    return Told(done_id=done[:64], done=words[kind].format(await _became(desk, done[:64])))


async def _became(desk: Desk, item_id: str) -> str:
    """To which intent the latest verdict on an item corrects it; empty if to none."""
    (item,) = await desk.services.assistant.store.queue.many([item_id])
    intent = item.verdicts[-1].intent if item is not None and item.verdicts else None
    return f" to “{desk.title(intent)}”" if intent else ""
