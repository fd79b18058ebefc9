"""DialogueManager: one message in, one turn out. Read this first."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TypeVar

from agent.brain import Brain, Brains
from agent.dialogue.names import ACTION_LISTEN, ACTION_SESSION_START
from agent.storage.conversations import Conversation, Conversations
from agent.turn import Decision, Message, Reply, Turn, Understanding, new_id

TURN_ENDS = (ACTION_LISTEN, ACTION_SESSION_START)
"""Actions after which Rasa predicts nothing more in a turn."""
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds of wall time by stage of a turn."""

    started: float = field(default_factory=perf_counter)
    stages_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of the block to `stage`."""
        begun = perf_counter()
        try:
            yield
        finally:
            spent = (perf_counter() - begun) * 1000
            self.stages_ms[stage] = self.stages_ms.get(stage, 0.0) + spent

    def until(self, stage: str, work: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """The same work; its time until it is done counts for `stage`."""
        begun = perf_counter()

        def note(_: "asyncio.Future[T]") -> None:
            self.stages_ms[stage] = (perf_counter() - begun) * 1000

        work.add_done_callback(note)
        return work

    def total_ms(self) -> float:
        """Milliseconds since the start."""
        return (perf_counter() - self.started) * 1000


def _tell(replies: Sequence[Reply], said: Callable[[Reply], None]) -> Sequence[Reply]:
    """The replies, each told to a listener."""
    for reply in replies:
        said(reply)
    return replies


def _kept(_: Reply) -> None:
    """Nobody listens: the replies stand in the turn."""


@dataclass(slots=True)
class DialogueManager:
    """Routes messages through understanding, policies and actions, and logs the turns.

    Args:
        brains: gives the serving model's parts, reloaded when another model is promoted.
        conversations: locks, loads and stores conversations.
        max_actions: actions in one turn after which the assistant listens.
        max_message_chars: characters of a message that are read.
    """

    brains: Brains
    conversations: Conversations
    max_actions: int = 10
    max_message_chars: int = 4000

    async def handle(
        self,
        message: Message,
        said: Callable[[Reply], None] = _kept,
        *,
        held: Conversation | None = None,
    ) -> Turn:
        """Answer one message.

        Message → Understanding → (Decision → action | passages → Reply)* until action_listen →
        Turn, logged. Messages of one conversation wait for each other; a turn that fails leaves
        no trace in it. `said` hears each reply at once, before the turn has ended; a `held`
        conversation is one that the caller has open, its session goes on.

        Raises:
            AgentError: the conversation stayed busy, or neither store nor spool took the turn.
        """
        watch = Stopwatch()
        message = self._bounded(message)
        brain, meaning = await self.brains.listen(message.text)
        # Understood while Redis gives us the conversation.
        understood = watch.until("understand", meaning)
        async with self._opened(message, brain, held) as conversation:
            tracker = conversation.tracker
            replies: list[Reply] = []
            if held is None and conversation.needs_session(message):
                opening = brain.start_session(tracker, message.channel, message.metadata)
                replies += _tell(await opening, said)
            by_network = await understood
            with watch("understand"):
                heard = await brain.consult(self.brains.heard(message, by_network), tracker)
            await brain.hear(tracker, message, heard)
            decisions: list[Decision] = []
            while not brain.is_silent(tracker):
                with watch("decide"):
                    decision = self._bound(brain.decide(tracker, heard, decisions), decisions)
                decisions.append(decision)
                with watch("act"):
                    result = await brain.act(decision, tracker, heard, message.channel)
                replies += _tell(result.replies, said)
                if decision.action in TURN_ENDS:
                    break
            turn = _turn(message, heard, decisions, replies, brain.model_version, watch)
            await conversation.commit(turn)
        return turn

    def _opened(
        self, message: Message, brain: Brain, held: Conversation | None
    ) -> AbstractAsyncContextManager[Conversation]:
        if held is not None:
            return nullcontext(held)
        return self.conversations.open(message.conversation_id, brain.domain)

    def _bound(self, decision: Decision, so_far: Sequence[Decision]) -> Decision:
        """The decision, or to listen when the turn has had its actions: no dialogue runs away."""
        if len(so_far) < self.max_actions or decision.action == ACTION_LISTEN:
            return decision
        _log.warning("%d actions without listening: stopped before %s", len(so_far), decision)
        return Decision(ACTION_LISTEN, "limit", reason=f"{len(so_far)} actions ran")

    def _bounded(self, message: Message) -> Message:
        """The message cut to the length that is read, marked if it was longer."""
        if len(message.text) <= self.max_message_chars:
            return message
        metadata = {**message.metadata, "truncated_from_chars": len(message.text)}
        return replace(message, text=message.text[: self.max_message_chars], metadata=metadata)


def _turn(
    message: Message,
    heard: Understanding,
    decisions: Sequence[Decision],
    replies: Sequence[Reply],
    model_version: str,
    watch: Stopwatch,
) -> Turn:
    turn_id = new_id()
    prompts: dict[str, str] = {}
    for reply in replies:
        prompts.update(reply.metadata.get("prompts", {}))
    return Turn(
        id=turn_id,
        message=message,
        understanding=heard,
        decisions=tuple(decisions),
        replies=tuple(replace(reply, turn_id=turn_id) for reply in replies),
        model_version=model_version,
        took_ms=watch.total_ms(),
        stages_ms=watch.stages_ms,
        prompts=prompts,
        passages=tuple(passage for reply in replies for passage in reply.passages),
    )
