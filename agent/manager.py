"""DialogueManager: one message in, one turn out. Read this first."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from agent.brain import Brain, Brains
from agent.storage.conversations import Conversation, Conversations
from agent.turn import Decision, Message, Reply, Turn, Understanding, new_id

LISTEN = "action_listen"
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

    def total_ms(self) -> float:
        """Milliseconds since the start."""
        return (perf_counter() - self.started) * 1000


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

    async def handle(self, message: Message) -> Turn:
        """Answer one message.

        Message → Understanding → (Decision → action | passages → Reply)* until action_listen →
        Turn, logged. Messages of one conversation wait for each other.
        """
        watch = Stopwatch()
        brain = await self.brains.current()
        message = self._bounded(message)
        turn_id = new_id()
        async with self.conversations.open(message.conversation_id, brain.domain) as conversation:
            greeting: Sequence[Reply] = ()
            if conversation.needs_session(message):
                greeting = await brain.start_session(conversation.tracker, message.channel)
            with watch("understand"):
                understanding = brain.understand(message.text)
            await brain.hear(conversation.tracker, message, understanding)
            decisions, said = await self._act(brain, conversation, message, understanding, watch)
            replies = [*greeting, *said]
            turn = Turn(
                id=turn_id,
                message=message,
                understanding=understanding,
                decisions=tuple(decisions),
                replies=tuple(replace(reply, turn_id=turn_id) for reply in replies),
                model_version=brain.model_version,
                took_ms=watch.total_ms(),
                stages_ms=watch.stages_ms,
                prompts=_prompts(replies),
                passages=tuple(p for reply in replies for p in reply.passages),
            )
            await conversation.commit(turn)
        return turn

    async def _act(
        self,
        brain: Brain,
        conversation: Conversation,
        message: Message,
        heard: Understanding,
        watch: Stopwatch,
    ) -> tuple[list[Decision], list[Reply]]:
        """Decide and act until the assistant listens; a runaway dialogue is cut off."""
        decisions: list[Decision] = []
        replies: list[Reply] = []
        while True:
            with watch("decide"):
                decision = brain.decide(conversation.tracker, heard, decisions)
            if len(decisions) >= self.max_actions and decision.action != LISTEN:
                _log.warning("%d actions without listening: stopped", len(decisions))
                decision = Decision(LISTEN, "limit", reason=f"{self.max_actions} actions ran")
            decisions.append(decision)
            with watch("act"):
                result = await brain.act(decision, conversation.tracker, heard, message.channel)
            replies += result.replies
            if decision.action == LISTEN:
                return decisions, replies

    def _bounded(self, message: Message) -> Message:
        """The message cut to the length that is read, marked if it was longer."""
        if len(message.text) <= self.max_message_chars:
            return message
        metadata = {**message.metadata, "truncated_from_chars": len(message.text)}
        return replace(message, text=message.text[: self.max_message_chars], metadata=metadata)


def _prompts(replies: list[Reply]) -> dict[str, str]:
    """The templates that took part, by name, with their content hashes."""
    used: dict[str, str] = {}
    for reply in replies:
        used.update(reply.metadata.get("prompts", {}))
    return used
