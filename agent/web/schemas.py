"""The bodies of requests and answers under /api."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.project.types import EntityAnnotation

Id = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
Text = Annotated[str, Field(max_length=20_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConversationBegun(BaseModel):
    """A new conversation and the token that speaks for it."""

    conversation_id: str
    token: str


class MessageIn(_Body):
    """A message of a chat user; `message_id` makes sending it again harmless."""

    text: Text
    message_id: Id | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class SourceOut(BaseModel):
    """Where an answer comes from: `text` is the document's characters from `start` to `end`."""

    title: str | None = None
    text: str
    url: str | None = None
    document_id: str
    start: int
    end: int


class ButtonOut(BaseModel):
    """A quick reply; further keys are the project's own."""

    model_config = ConfigDict(extra="allow")
    title: str
    payload: str


class ReplyOut(BaseModel):
    """One message of the assistant."""

    text: str | None = None
    buttons: list[ButtonOut] | None = None
    image: str | None = None
    attachment: Any = None
    custom: Any = None
    elements: list[Any] | None = None
    sources: list[SourceOut] | None = None


class ChoiceOut(BaseModel):
    """An intent that a message might have meant."""

    intent: str
    title: str


class Answered(BaseModel):
    """What the assistant says to a message; `handoff`: a person has taken over."""

    turn_id: str
    message_id: str
    replies: list[ReplyOut]
    choices: list[ChoiceOut]
    handoff: bool


class HistoryOut(BaseModel):
    """What was said, oldest first: `from` is `user` or `bot`, further keys as in a reply."""

    messages: list[dict[str, Any]]
    handoff: bool


class EntityIn(_Body):
    """An entity of the message: characters `[start:end]`, end exclusive."""

    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=1)]
    entity: Annotated[str, Field(max_length=120)]
    value: Any = None
    role: str | None = None
    group: str | None = None

    def annotation(self) -> EntityAnnotation:
        """The entity as our own value."""
        return EntityAnnotation(
            self.start, self.end, self.entity, self.value, self.role, self.group
        )


class FeedbackIn(_Body):
    """What somebody says about a turn: a thumb, or what it should have been."""

    turn_id: Id
    kind: Literal["intent", "entity", "answer", "thumbs"]
    intent: Annotated[str, Field(max_length=250)] | None = None
    entities: list[EntityIn] | None = None
    answer: Text | None = None
    liked: bool | None = None
    reason: Annotated[str, Field(max_length=2_000)] = ""
    id: Id | None = None


class FeedbackTaken(BaseModel):
    """The feedback is stored and will be kept."""

    id: str
    state: str


class Reason(_Body):
    """Why a reviewer decided so."""

    reason: Annotated[str, Field(max_length=2_000)] = ""


class Amendment(Reason):
    """What a reviewer puts right in a correction; what is left out stays."""

    intent: Annotated[str, Field(max_length=250)] | None = None
    entities: list[EntityIn] | None = None
    answer: Text | None = None


class ModelOut(BaseModel):
    """A version of the model."""

    id: str
    state: str
    parent: str | None
    report: dict[str, Any]
