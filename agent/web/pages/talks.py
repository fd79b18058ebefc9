"""Conversations: the latest, those that match a search, and one in full with its corrections."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from agent.errors import InputError
from agent.feedback.records import prediction
from agent.feedback.submission import Author, Said
from agent.web.pages.desk import Desk, PageRoute, see
from agent.web.pages.item import entity_labels, intent_options, judgement, marked
from agent.web.security.access import User

SCANNED = 5_000
FOUND = 50
_TOLD = "Saved. It holds from the next message on."


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation in a list: its latest (or matching) message, and how it was answered."""

    conversation_id: str
    text: str
    answer: str
    intent: str | None
    at: str


def build_router(desk: Desk) -> APIRouter:
    """The routes /review/conversations…"""
    router = APIRouter(
        prefix="/review/conversations", route_class=PageRoute, include_in_schema=False
    )

    @router.get("")
    async def show_talks(request: Request, q: str = "", intent: str = "") -> Response:
        await desk.user(request)
        found = await find_talks(desk, q[:200], intent[:250])
        return await desk.page(
            request,
            "talks.html",
            talks=found,
            chosen={"q": q[:200], "intent": intent[:250]},
            intents=intent_options(desk),
            scanned=SCANNED,
            most=FOUND,
        )

    @router.get("/{conversation_id:path}")
    async def show_talk(request: Request, conversation_id: str, done: str = "") -> Response:
        await desk.user(request)
        return await _talk_page(desk, request, conversation_id, told="" if not done else _TOLD)

    @router.post("/turns/{turn_id}")
    async def correct_turn(request: Request, turn_id: str) -> Response:
        user, form = await desk.form(request)
        turn = await desk.services.assistant.store.turn(turn_id)
        if turn is None:
            raise InputError("this turn is not in the log (any more)")
        conversation_id = turn["message"]["conversation_id"]
        try:
            await _correct(desk, user, turn_id, judgement(form))
        except InputError as error:
            given = {name: form.get(name) for name in ("intent", "entities", "answer")}
            given["turn"] = turn_id
            return await _talk_page(desk, request, conversation_id, error=str(error), given=given)
        return see(f"/review/conversations/{quote(conversation_id)}?done=1#t-{turn_id}")

    return router


async def _talk_page(
    desk: Desk,
    request: Request,
    conversation_id: str,
    *,
    told: str = "",
    error: str = "",
    given: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """One conversation; `given` is what was typed about a turn before something went wrong."""
    turns = await desk.services.assistant.store.turns_of(conversation_id, limit=200)
    if not turns:
        raise InputError("this conversation is not in the turn log (any more)")
    return await desk.page(
        request,
        "talk.html",
        conversation_id=conversation_id,
        turns=turns,
        intents=intent_options(desk),
        labels=entity_labels(desk),
        marks={turn["id"]: marked(prediction(turn).entities) for turn in turns},
        told=told,
        error=error,
        given=given,
        status=400 if error else 200,
    )


async def _correct(desk: Desk, user: User, turn_id: str, said: Any) -> None:
    """A reviewer's word about a turn that is not in the queue; it holds at once."""
    author = Author(user.name, "reviewer")
    about = Said(said.intent, said.entities, said.answer, None, said.reason)
    if said.kind == "right":
        about = Said(liked=True, reason=said.reason)
    elif said.kind == "correct" and said.intent and not said.new_intent:
        _check_known(desk, said.intent)
    await desk.services.assistant.feedback.submit(turn_id, about, author, offsets="logged")


def _check_known(desk: Desk, intent: str) -> None:
    assistant = desk.services.assistant
    if intent not in assistant.intents and intent != "oos":
        near = ", ".join(assistant.similar_intents(intent)) or "none is spelled like it"
        raise InputError(f"there is no intent {intent!r} ({near}): choose “new intent” to make it")


async def find_talks(desk: Desk, words: str, intent: str) -> list[Talk]:
    """The conversations whose logged messages or answers hold the words, latest first."""
    wanted = words.casefold()
    found: dict[str, Talk] = {}
    store = desk.services.assistant.store
    holding = [word for word in (words, intent) if word]
    async for turn in store.scan_turns(limit=SCANNED, holding=holding):
        talk = _talk(turn)
        said = f"{talk.conversation_id}\n{talk.text}\n{talk.answer}".casefold()
        if wanted in said and intent in ("", talk.intent):
            found.setdefault(talk.conversation_id, talk)
        if len(found) == FOUND:
            break
    return list(found.values())


def _talk(turn: dict[str, Any]) -> Talk:
    message = turn["message"]
    answer = " ".join(reply["text"] for reply in turn["replies"] if reply.get("text"))
    intent = (turn["understanding"].get("intent") or {}).get("name")
    return Talk(message["conversation_id"], message["text"], answer, intent, message["received_at"])
