"""/conversations/{id}/…: trackers, events, stories, actions, predictions, messages."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, BeforeValidator, Field

from agent.dialogue.event_checks import check_parse_data
from agent.dialogue.names import BUILTIN_INTENTS, action_names
from agent.dialogue.story_writer import story_yaml
from agent.dialogue.tracker import Tracker
from agent.turn import Decision, Message, Reply, new_id
from agent.web.dialogue import Dialogues, external_message, read_events
from agent.web.errors import HttpError
from agent.web.rasa.bodies import JsonRoute
from agent.web.replies import channel_messages, outlet_messages
from agent.web.services import Services

Conversation = Annotated[str, Path(max_length=1_000, description="May hold slashes.")]
Include = Annotated[
    Literal["ALL", "AFTER_RESTART", "APPLIED", "NONE"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    Query(description="Which events to list."),
]
Until = Annotated[
    float | None, Query(description="Seconds since the epoch: the tracker as it was then.")
]
OutputChannel = Annotated[
    str | None, Query(max_length=100, description="A channel to send messages to, or `latest`.")
]


class ActionIn(BaseModel):
    """An action to run."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    policy: str | None = None
    confidence: float | None = None


class IntentIn(BaseModel):
    """An intent to inject, with entities as `{name: value}` or as Rasa's list."""

    name: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\s{}@]+$")]
    entities: dict[str, Any] | list[dict[str, Any]] | None = None


class UserMessageIn(BaseModel):
    """A message to put into the tracker."""

    text: Annotated[str, Field(max_length=20_000)] | None = None
    sender: str | None = None
    parse_data: dict[str, Any] | None = None


def build_router(services: Services) -> APIRouter:
    """The routes of conversations; an admin's, or those of the conversation's own user."""
    router = APIRouter(prefix="/conversations", tags=["rasa"], route_class=JsonRoute)
    assistant = services.assistant
    dialogues = Dialogues(assistant.brains, assistant.conversations)
    access = services.access

    @router.get("/{conversation_id:path}/tracker")
    async def tracker(
        request: Request,
        conversation_id: Conversation,
        include_events: Include = "AFTER_RESTART",
        until: Until = None,
    ) -> dict[str, Any]:
        """A conversation's tracker."""
        await access.api(request, conversation_id)
        found = await dialogues.tracker(conversation_id)
        return _back_to(found, until).current_state(include_events)

    @router.post("/{conversation_id:path}/tracker/events")
    async def append_events(
        request: Request,
        conversation_id: Conversation,
        events: Annotated[dict[str, Any] | list[dict[str, Any]], Body()],
        include_events: Include = "AFTER_RESTART",
        output_channel: OutputChannel = None,
        execute_side_effects: bool = False,
    ) -> dict[str, Any]:
        """Append one event, or a list of them."""
        await access.api(request, conversation_id)
        read = read_events(events)
        found = await dialogues.append(conversation_id, read)
        if execute_side_effects:
            messages = [event for event in read if event.kind == "bot"]
            await services.outlets.send_events(_channel(output_channel, found), found, messages)
        return found.current_state(include_events)

    @router.put("/{conversation_id:path}/tracker/events")
    async def replace_events(
        request: Request,
        conversation_id: Conversation,
        events: Annotated[list[dict[str, Any]], Body()],
        include_events: Include = "AFTER_RESTART",
    ) -> dict[str, Any]:
        """Put these events in the place of all."""
        await access.api(request, conversation_id)
        found = await dialogues.replace(conversation_id, read_events(events) if events else [])
        return found.current_state(include_events)

    @router.get("/{conversation_id:path}/story", response_class=PlainTextResponse)
    async def story(
        request: Request,
        conversation_id: Conversation,
        until: Until = None,
        all_sessions: bool = False,
    ) -> PlainTextResponse:
        """A conversation as an end-to-end story in YAML."""
        await access.api(request, conversation_id)
        await dialogues.require(conversation_id)
        found = _back_to(await dialogues.tracker(conversation_id), until)
        text = story_yaml(conversation_id, found, all_sessions=all_sessions)
        return PlainTextResponse(text)

    @router.post("/{conversation_id:path}/execute")
    async def execute(
        request: Request,
        conversation_id: Conversation,
        action: ActionIn,
        include_events: Include = "AFTER_RESTART",
        output_channel: OutputChannel = None,
    ) -> dict[str, Any]:
        """Run one action, whatever the policies say."""
        await access.api(request, conversation_id)
        await dialogues.require(conversation_id)
        if action.name not in action_names(assistant.brains.loaded.domain):
            raise HttpError(404, f"The domain has no action {action.name[:80]!r}.")
        channel = output_channel or ""
        decision = Decision(action.name, action.policy or "", action.confidence or 1.0)
        found, result = await dialogues.execute(conversation_id, decision, channel)
        return await _said(found, result.replies, include_events, output_channel)

    @router.post("/{conversation_id:path}/trigger_intent")
    async def trigger_intent(
        request: Request,
        conversation_id: Conversation,
        intent: IntentIn,
        include_events: Include = "AFTER_RESTART",
        output_channel: OutputChannel = None,
    ) -> dict[str, Any]:
        """Go on as if the user had meant this intent."""
        await access.api(request, conversation_id)
        known = {*assistant.brains.loaded.domain.intents, *BUILTIN_INTENTS}
        if intent.name.partition("/")[0] not in known:
            raise HttpError(404, f"The intent {intent.name[:80]!r} does not exist in the domain.")
        channel = output_channel or "EXTERNAL"
        message = external_message(conversation_id, intent.name, _entities(intent), channel)
        turn = await services.turns.answer(message, any_payload=True)
        found = await dialogues.tracker(conversation_id)
        return await _said(found, turn.replies, include_events, output_channel)

    @router.post("/{conversation_id:path}/predict")
    async def predict(request: Request, conversation_id: Conversation) -> dict[str, Any]:
        """The next action, which is not run."""
        await access.api(request, conversation_id)
        await dialogues.require(conversation_id)
        found, decision = await dialogues.predict(conversation_id)
        return prediction(found, decision, "AFTER_RESTART")

    @router.post("/{conversation_id:path}/messages")
    async def add_message(
        request: Request,
        conversation_id: Conversation,
        body: UserMessageIn,
        include_events: Include = "AFTER_RESTART",
    ) -> dict[str, Any]:
        """Put a user's message into the tracker without an answer to it."""
        await access.api(request, conversation_id)
        if body.sender != "user":
            raise HttpError(
                400,
                "Currently, only user messages can be passed to this endpoint. "
                f"Messages of sender '{str(body.sender)[:80]}' cannot be handled.",
                details={"parameter": "sender", "in": "body"},
            )
        check_parse_data(body.parse_data or {})
        message = Message(new_id(), conversation_id, (body.text or "").strip(), "rest")
        found = await dialogues.hear(message, body.parse_data)
        return found.current_state(include_events)

    async def _said(
        found: Tracker, replies: Sequence[Reply], include: Include, output_channel: str | None
    ) -> dict[str, Any]:
        """What an action or intent led to; a channel that can be reached gets the messages."""
        channel = _channel(output_channel, found)
        state = {"tracker": found.current_state(include)}
        if await services.outlets.send(channel, found.conversation_id, outlet_messages(replies)):
            return state
        return {**state, "messages": channel_messages(replies)}

    return router


def prediction(tracker: Tracker, decision: Decision, include: Include) -> dict[str, Any]:
    """Rasa's answer about the next action: every action's score, the best first."""
    names = action_names(tracker.domain)
    scores = [
        {"action": name, "score": decision.confidence if name == decision.action else 0.0}
        for name in dict.fromkeys((decision.action, *names))
    ]
    scores.sort(key=lambda one: (-float(str(one["score"])), str(one["action"])))
    return {
        "scores": scores,
        "policy": decision.policy,
        "confidence": decision.confidence,
        "tracker": tracker.current_state(include),
    }


def _back_to(tracker: Tracker, until: float | None) -> Tracker:
    """The tracker as it was at a time."""
    if until is None:
        return tracker
    events = [event for event in tracker.events if event.timestamp <= until]
    return Tracker(tracker.conversation_id, tracker.domain, events)


def _channel(asked: str | None, tracker: Tracker) -> str | None:
    """The channel that is meant: the conversation's own for `latest`."""
    return tracker.latest_input_channel if asked == "latest" else asked


def _entities(intent: IntentIn) -> Mapping[str, Any]:
    """The entities of a triggered intent as a payload writes them.

    Raises:
        HttpError: one of a list has no label.
    """
    if not isinstance(intent.entities, list):
        return intent.entities or {}
    found: dict[str, list[Any]] = {}
    for entity in intent.entities:
        label = entity.get("entity")
        if not isinstance(label, str):
            raise HttpError(400, "an entity has its label under `entity`, its value under `value`")
        found.setdefault(label, []).append(entity.get("value"))
    return found
