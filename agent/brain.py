"""The serving model's parts, and their exchange when another model is promoted."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.actions.executor import Executor
from agent.actions.types import ActionRejected, ActionResult
from agent.dialogue import Policies, Tracker, action_events, decision_events
from agent.dialogue.events import (
    ActionExecutionRejected,
    BotUttered,
    UserUtteranceReverted,
    UserUttered,
)
from agent.dialogue.names import ACTION_EXTRACT_SLOTS, ACTION_LISTEN, ACTION_SESSION_START
from agent.errors import AgentError, ModelError
from agent.feedback.correction import Correction
from agent.feedback.feed import CorrectionFeed, remember
from agent.project.types import Domain
from agent.registry import Registry
from agent.turn import Decision, Message, Reply, Understanding
from agent.understanding.interpreter import Interpreter
from agent.understanding.rasa_format import parse_result

ANSWER_ACTION = "action_corrected_answer"
MEMORY_POLICY = "CorrectionMemory"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Brain:
    """One model folder's understanding, policies and actions.

    `learned` are the corrections that the model gets right by itself.
    """

    model_version: str
    domain: Domain
    interpreter: Interpreter
    policies: Policies
    executor: Executor
    learned: frozenset[str] = frozenset()

    def understand(self, text: str) -> Understanding:
        """What a message means."""
        return self.interpreter.understand([text])[0]

    def remember(self, correction: Correction) -> None:
        """Let an accepted correction count from now on (or no longer, if it was taken back)."""
        if self.interpreter.memory is not None:
            remember(self.interpreter.memory, correction, self.learned)

    async def start_session(self, tracker: Tracker, channel: str) -> Sequence[Reply]:
        """Begin a new session; what the project's own session start says."""
        result = await self.act(Decision(ACTION_SESSION_START, ""), tracker, None, channel)
        return result.replies

    async def hear(self, tracker: Tracker, message: Message, heard: Understanding) -> None:
        """Put the message into the tracker and fill the slots that it fills."""
        tracker.append(
            UserUttered(
                text=message.text,
                parse_data=parse_result(heard),
                input_channel=message.channel,
                message_id=message.id,
                metadata=dict(message.metadata),
                timestamp=message.received_at.timestamp(),
            )
        )
        await self._extract_slots(tracker, message.channel)

    def decide(
        self, tracker: Tracker, heard: Understanding, so_far: Sequence[Decision]
    ) -> Decision:
        """The next action: a corrected answer comes before what the policies say."""
        if heard.answer is None:
            return self.policies.decide(tracker)
        if so_far and so_far[-1].action == ANSWER_ACTION:
            return Decision(ACTION_LISTEN, MEMORY_POLICY, reason="the answer was given")
        reason = "a reviewer gave this answer to this message"
        return Decision(ANSWER_ACTION, MEMORY_POLICY, reason=reason)

    async def act(
        self, decision: Decision, tracker: Tracker, heard: Understanding | None, channel: str
    ) -> ActionResult:
        """Run an action and tell the tracker what came of it; a rejection lets others act."""
        try:
            if decision.action == ANSWER_ACTION and heard is not None:
                result = _corrected_answer(heard, tracker.conversation_id)
            else:
                seen = _with_decision(tracker, decision)
                result = await self.executor.run(decision, seen, channel=channel)
        except ActionRejected as rejection:
            _log.debug("%s", rejection)
            tracker.append(
                ActionExecutionRejected(
                    name=decision.action, policy=decision.policy, confidence=decision.confidence
                )
            )
            return ActionResult()
        tracker.extend(action_events(decision, result.events, self.domain))
        if any(isinstance(event, UserUttered) for event in result.events):
            # A message that an action put in (a clarified one) fills slots like any other.
            await self._extract_slots(tracker, channel)
        return result

    async def _extract_slots(self, tracker: Tracker, channel: str) -> None:
        extraction = Decision(ACTION_EXTRACT_SLOTS, "")
        result = await self.executor.run(extraction, tracker, channel=channel)
        tracker.extend(result.events)


@dataclass(slots=True)
class Brains:
    """Gives the brain that serves now.

    Args:
        registry: tells which model is in production.
        load: makes a brain of a production model; runs in a thread.
        feed: the accepted corrections.
    """

    registry: Registry
    load: Callable[[], Brain]
    feed: CorrectionFeed
    _brain: Brain | None = None
    _refused: str | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def loaded(self) -> Brain:
        """The serving brain as it was last loaded.

        Raises:
            ModelError: none was loaded yet.
        """
        if self._brain is None:
            raise ModelError("there is no model: run `agent train`")
        return self._brain

    async def current(self) -> Brain:
        """The serving brain, up to date with the production model and the corrections.

        A model that cannot be loaded is reported once and the one before serves on.

        Raises:
            ModelError: there is no usable model at all.
        """
        async with self._lock:
            version = self.registry.production_id()
            if self._brain is None or version not in (self._brain.model_version, self._refused):
                await self._reload(version)
            brain = self.loaded
            await self.feed.refresh(brain.remember)
            return brain

    async def _reload(self, version: str | None) -> None:
        try:
            brain = await asyncio.to_thread(self.load)
        except AgentError as error:
            if self._brain is None:
                raise
            serving = self._brain.model_version
            _log.error("model %s is not taken, %s serves on: %s", version, serving, error)
            self._refused = version
            return
        for correction in self.feed.accepted.values():
            brain.remember(correction)
        self._brain, self._refused = brain, None


def _with_decision(tracker: Tracker, decision: Decision) -> Tracker:
    """What an action sees: the decision's own events, too, which a rejection discards."""
    events = decision_events(decision)
    if not events:
        return tracker
    seen = tracker.copy()
    seen.extend(events)
    return seen


def _corrected_answer(heard: Understanding, recipient: str) -> ActionResult:
    """Say what a reviewer wrote; the dialogue then stands where it stood before the message."""
    said = BotUttered(text=heard.answer, metadata={"utter_action": ANSWER_ACTION})
    return ActionResult(
        events=(said, UserUtteranceReverted()), replies=(Reply(recipient, text=heard.answer),)
    )
