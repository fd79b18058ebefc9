"""Our own API for chat users: conversations, messages, feedback."""

import asyncio
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from agent.actions.suggestions import is_for_people
from agent.assemble import Assistant
from agent.errors import InputError
from agent.feedback.submission import Author, Said
from agent.project.types import Domain
from agent.prompts.listening import listening
from agent.storage.connection import StoreAwayError
from agent.turn import FALLBACK_INTENT, OOS_INTENT, Message, Turn, Understanding, new_id
from agent.web.answers import Answer, Answers
from agent.web.errors import HttpError
from agent.web.history import said
from agent.web.replies import reply_json
from agent.web.schemas import (
    Answered,
    ConversationBegun,
    FeedbackIn,
    FeedbackTaken,
    HistoryOut,
    MessageIn,
)
from agent.web.security.access import client_address
from agent.web.services import Services
from agent.web.sse import MEDIA_TYPE, Heard, seen_number, stream, turn_events
from agent.web.watching import Watching

CHANNEL = "web"
CHOICES = 5
Id = Annotated[str, Path(max_length=200)]
LastEventId = Annotated[str | None, Header(max_length=200)]


def build_router(services: Services) -> APIRouter:
    """The routes of chat users, each bound to the conversation that its token names."""
    router = APIRouter(prefix="/api", tags=["chat"])
    answers = Answers(services.assistant.store)
    talk = Talk(services, answers)
    watching = Watching(services.assistant, services.stopping)

    @router.post("/conversations", status_code=201)
    async def begin_conversation(request: Request) -> ConversationBegun:
        """Begin a conversation; the token speaks for it and for no other."""
        limit = services.settings.conversations_per_minute
        if not services.loopback:
            await services.limits.hit("new conversations", client_address(request), limit)
        conversation_id, token = services.tokens.issue()
        return ConversationBegun(conversation_id=conversation_id, token=token)

    @router.post(
        "/conversations/{conversation_id}/messages",
        response_model=Answered,
        responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    )
    async def send_message(
        request: Request, conversation_id: Id, body: MessageIn, last_event_id: LastEventId = None
    ) -> Response:
        """Say something and get the answer, as JSON or (by Accept) as server-sent events.

        The same `message_id` again gets the same answer; nothing happens twice.
        """
        await talk.admit(request, conversation_id)
        if not body.text.strip():
            raise HttpError(400, "`text` is empty: say something")
        message_id = body.message_id or new_id()
        message = Message(message_id, conversation_id, body.text, CHANNEL, dict(body.metadata))
        repeatable = body.message_id is not None
        if MEDIA_TYPE not in request.headers.get("accept", ""):
            return JSONResponse(await talk.answer(message, Heard(), repeatable=repeatable))
        heard = Heard()
        work = talk.begin(message, heard, repeatable=repeatable)
        return stream(turn_events(message_id, work, heard, seen_number(last_event_id, message_id)))

    @router.get("/conversations/{conversation_id}/messages")
    async def list_messages(request: Request, conversation_id: Id) -> HistoryOut:
        """What was said so far, oldest first."""
        talk.check_token(request, conversation_id)
        brain = await services.assistant.brains.current()
        tracker = await services.assistant.conversations.peek(conversation_id, brain.domain)
        try:
            turns = await services.assistant.store.turns_of(conversation_id, limit=100)
        except StoreAwayError:
            turns = []
        return HistoryOut(messages=said(tracker, turns), handoff=tracker.paused)

    @router.get(
        "/conversations/{conversation_id}/events",
        response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    )
    async def follow(
        request: Request, conversation_id: Id, last_event_id: LastEventId = None
    ) -> Response:
        """What the assistant says by itself (reminders, a person who took over), as it comes."""
        talk.check_token(request, conversation_id)
        return stream(watching.follow(conversation_id, last_event_id))

    @router.post("/feedback", status_code=202)
    async def give_feedback(request: Request, body: FeedbackIn) -> FeedbackTaken:
        """Say that a turn was right or wrong, and what it should have been."""
        conversation_id = services.access.chat(request)
        await talk.check_owner(body.turn_id, conversation_id)
        content = said_in(body)
        if content.intent is not None:
            content = replace(content, intent=known_intent(services.assistant, content.intent))
        taken = await services.assistant.feedback.submit(
            body.turn_id, content, Author(conversation_id), correction_id=body.id
        )
        return FeedbackTaken(id=taken.id, state=taken.state)

    return router


class Talk:
    """Messages of chat users: admitted by token and rate, answered once."""

    def __init__(self, services: Services, answers: Answers) -> None:
        self._services, self._answers = services, answers
        self._running: set[asyncio.Task[Answer]] = set()
        services.closing.append(self._end)

    def check_token(self, request: Request, conversation_id: str) -> None:
        """Refuse whoever does not hold the conversation's token (401, 403)."""
        if self._services.access.chat(request) != conversation_id:
            raise HttpError(403, "the token is for another conversation")

    async def admit(self, request: Request, conversation_id: str) -> None:
        """Refuse a message without the conversation's token, or one too many (429)."""
        self.check_token(request, conversation_id)
        limit = self._services.settings.messages_per_minute
        await self._services.limits.hit("messages", conversation_id, limit)

    async def check_owner(self, turn_id: str, conversation_id: str) -> None:
        """Refuse feedback about somebody else's turn, which might tell what it was.

        Raises:
            HttpError: there is no such turn in this conversation (404).
        """
        try:
            turn = await self._services.assistant.store.turn(turn_id)
        except StoreAwayError:
            return  # the feedback waits in the spool and is tied to its turn later
        if turn is None or turn["message"]["conversation_id"] != conversation_id:
            raise HttpError(404, "this conversation has no such turn")

    def begin(self, message: Message, heard: Heard, *, repeatable: bool) -> "asyncio.Task[Answer]":
        """Answer in a task, which goes on when the client is gone."""
        task = asyncio.create_task(self.answer(message, heard, repeatable=repeatable))
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Answer]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever listened has told it; nobody may be listening

    async def _end(self) -> None:
        """Let the turns end that nobody waits for any more."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def answer(self, message: Message, heard: Heard, *, repeatable: bool) -> Answer:
        """The answer to a message as `/api` gives it."""

        async def make() -> Answer:
            try:
                with listening(heard.write):
                    turn = await self._services.turns.answer(message, said=heard)
            except BaseException:
                if repeatable:
                    await self._answers.release(message.conversation_id, message.id)
                raise
            return self._shown(turn)

        if not repeatable:
            return await make()
        return await self._answers.once(message.conversation_id, message.id, make)

    def _shown(self, turn: Turn) -> Answer:
        assistant = self._services.assistant
        tracker = assistant.conversations.latest(turn.message.conversation_id)
        return {
            "turn_id": turn.id,
            "message_id": turn.message.id,
            "replies": [reply_json(reply) for reply in turn.replies],
            "choices": [
                {"intent": name, "title": assistant.title(name)}
                for name in likely_intents(turn.understanding, assistant.brains.loaded.domain)
            ],
            "handoff": tracker is not None and tracker.paused,
        }


def likely_intents(heard: Understanding, domain: Domain) -> list[str]:
    """What may have been meant instead, likeliest first; the intent that was acted on is last.

    Retrieval intents are named by their likeliest key; what has no title is not for people.
    """
    named = [_named(heard, score.intent) for score in heard.ranking]
    first = named[:1] if named[:1] != [FALLBACK_INTENT] else []
    others = [name for name in named[1:] if is_for_people(name, domain)]
    return [*others[: CHOICES - len(first)], *(n for n in first if is_for_people(n, domain))]


def _named(heard: Understanding, intent: str) -> str:
    keys = heard.responses.get(intent)
    return keys[0].intent if keys else intent


def said_in(body: FeedbackIn) -> Said:
    """The feedback's content as our own value.

    Raises:
        InputError: what its kind needs is missing.
    """
    needed: dict[str, Any] = {
        "intent": body.intent,
        "entity": body.entities,
        "answer": body.answer,
        "thumbs": body.liked,
    }
    if needed[body.kind] is None:
        field = {"entity": "entities", "thumbs": "liked"}.get(body.kind, body.kind)
        raise InputError(f"feedback of kind {body.kind!r} needs `{field}`")
    given = body.entities
    entities = None if given is None else [one.annotation() for one in given]
    return Said(body.intent, entities, body.answer, body.liked, body.reason)


def known_intent(assistant: Assistant, said: str) -> str:
    """The intent that a chat user means by its name or its title.

    Raises:
        InputError: the assistant has none of that name or title.
    """
    known = assistant.intents
    if said in known or said == OOS_INTENT:
        return said
    for name in known:
        if assistant.title(name).casefold() == said.strip().casefold():
            return name
    close = ", ".join(assistant.similar_intents(said))
    raise InputError(
        f"{said[:80]!r} is no intent of this assistant"
        + (f"; did you mean {close}?" if close else "")
    )
