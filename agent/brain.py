"""The serving model's parts, and their exchange when another model is promoted."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent.actions.executor import Executor
from agent.actions.knowledge import KnowledgeBase
from agent.actions.types import ActionRejected, ActionResult
from agent.dialogue import Policies, Tracker, action_events, decision_events, falls_back
from agent.dialogue.events import (
    ActionExecutionRejected,
    BotUttered,
    FollowupAction,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from agent.dialogue.names import (
    ACTION_EXTRACT_SLOTS,
    ACTION_LISTEN,
    ACTION_SESSION_START,
    INTENT_RESTART,
    SESSION_METADATA_SLOT,
)
from agent.dialogue.repair import REPAIR_POLICY, Repair, is_cancelling, without_buttons
from agent.errors import AgentError, ModelError
from agent.feedback.correction import Correction
from agent.feedback.feed import CorrectionFeed, Learned, remember
from agent.project.types import Domain
from agent.registry import Registry
from agent.together import Together
from agent.trial import Trial
from agent.turn import Decision, Message, Reply, Understanding
from agent.understanding.interpreter import Interpreter
from agent.understanding.payload import EXTERNAL_PREFIX, injected, read_payload
from agent.understanding.proposals import Proposer
from agent.understanding.rasa_format import parse_result

ANSWER_ACTION = "action_corrected_answer"
MEMORY_POLICY = "CorrectionMemory"
RANKED = 10
"""How many intents (and response keys) a conversation's events keep, as many as Rasa's."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Brain:
    """One model folder's understanding, policies and actions.

    `learned` are the corrections that the model gets right by itself; `repair` lets forms
    be corrected, cancelled and interrupted beyond what Rasa's do; `proposer` asks a language
    model where the network is unsure.
    """

    model_version: str
    domain: Domain
    interpreter: Interpreter
    policies: Policies
    executor: Executor
    learned: Learned = field(default_factory=dict)
    repair: Repair | None = None
    proposer: Proposer | None = None

    def understand(self, text: str) -> Understanding:
        """What a message means."""
        return self.interpreter.understand([text])[0]

    async def consult(self, heard: Understanding, tracker: Tracker) -> Understanding:
        """The understanding with a language model's proposal, if one is asked; not in a form."""
        if self.proposer is None or tracker.active_loop is not None:
            return heard
        return await self.proposer.consult(heard, self.interpreter, self.domain)

    @property
    def knowledge(self) -> KnowledgeBase | None:
        """What questions that no intent covers are answered from."""
        return self.executor.speech.knowledge

    def remember(self, correction: Correction) -> None:
        """Let an accepted correction count from now on (or no longer, if it was taken back)."""
        if self.proposer is not None:
            self.proposer.judge(correction)
        if self.interpreter.memory is not None:
            remember(self.interpreter.memory, correction, self.learned)

    def is_silent(self, tracker: Tracker) -> bool:
        """Whether the assistant is paused; a request to restart is heard all the same."""
        message = tracker.latest_message
        return tracker.paused and (message is None or message.intent != INTENT_RESTART)

    async def start_session(
        self, tracker: Tracker, channel: str, metadata: Mapping[str, Any] | None = None
    ) -> Sequence[Reply]:
        """Begin a new session; what the project's own session start says.

        It finds the `metadata` of the message that begins the session in a slot, as Rasa's does.
        """
        if metadata:
            tracker.append(SlotSet(name=SESSION_METADATA_SLOT, value=dict(metadata)))
        result = await self.act(Decision(ACTION_SESSION_START, ""), tracker, None, channel)
        return result.replies

    async def hear(self, tracker: Tracker, message: Message, heard: Understanding) -> None:
        """Put the message into the tracker and fill the slots that it fills."""
        text, parsed = message.text, parse_result(heard, ranked=RANKED)
        if text.startswith(EXTERNAL_PREFIX) and read_payload(text) is not None:
            parsed = injected(parsed)
            text = parsed["text"]
        tracker.append(
            UserUttered(
                text=text,
                parse_data=parsed,
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
        """The next action: a corrected answer, else what the policies say, repaired in forms."""
        chosen = self._choose(tracker, heard, so_far)
        return self.repair.steer(tracker, so_far, chosen) if self.repair else chosen

    def _choose(
        self, tracker: Tracker, heard: Understanding, so_far: Sequence[Decision]
    ) -> Decision:
        if heard.answer is None or any(d.policy == REPAIR_POLICY for d in so_far):
            return _said_once(self.policies.decide(tracker), so_far)
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
                result = await self._run(decision, _with_decision(tracker, decision), channel)
        except ActionRejected as rejection:
            _log.debug("%s", rejection)
            tracker.append(
                ActionExecutionRejected(
                    name=decision.action, policy=decision.policy, confidence=decision.confidence
                )
            )
            return ActionResult()
        if result.error and self.repair is not None and decision.action in self.domain.forms:
            # A form whose check failed has not run: what follows its end must not happen.
            tracker.extend([*result.events, FollowupAction(name=ACTION_LISTEN)])
            return result
        if self.repair is not None:
            refused = self.repair.refused(decision.action, tracker, result.events)
            if refused is not None:
                tracker.extend(refused)
                return ActionResult()
        tracker.extend(action_events(decision, result.events, self.domain))
        if any(isinstance(event, UserUttered) for event in result.events):
            # A message that an action put in (a clarified one) fills slots like any other.
            await self._extract_slots(tracker, channel)
        spoke = self.repair is not None and any(reply.buttons for reply in result.replies)
        if spoke and heard is not None and self._asks_next(decision, tracker, heard):
            # One choice at a time: the form's own buttons follow.
            return replace(result, replies=without_buttons(result.replies))
        return result

    def _asks_next(self, decision: Decision, tracker: Tracker, heard: Understanding) -> bool:
        """Whether a form asks again now, after an action that came in its middle."""
        following = self.decide(tracker, heard, [decision])
        returns = following.policy == REPAIR_POLICY or following.action == tracker.active_loop
        return (
            returns
            and following.action in self.domain.forms
            and following.action != decision.action
        )

    async def _run(self, decision: Decision, tracker: Tracker, channel: str) -> ActionResult:
        if is_cancelling(decision):
            return self.executor.cancel_form(tracker)
        return await self.executor.run(decision, tracker, channel=channel)

    async def _extract_slots(self, tracker: Tracker, channel: str) -> None:
        extraction = Decision(ACTION_EXTRACT_SLOTS, "")
        tracker.extend((await self.executor.run(extraction, tracker, channel=channel)).events)


@dataclass(slots=True)
class Brains:
    """Gives the brain that serves now.

    Args:
        registry: tells which model is in production.
        load: makes a brain of a production model; runs in a thread.
        feed: the accepted corrections.
        unloaded: whether this process serves nothing for now.
        trial: the model on trial beside the serving one, where there may be one.
    """

    registry: Registry
    load: Callable[[], Brain]
    feed: CorrectionFeed
    unloaded: bool = False
    trial: Trial | None = None
    _brain: Brain | None = None
    _refused: str | None = None
    _reloading: bool = False
    _together: Together = field(default_factory=Together)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _begun: int = 0
    _done: int = 0

    @property
    def loaded(self) -> Brain:
        """The serving brain as it was last loaded.

        Raises:
            ModelError: none was loaded yet, or it was unloaded.
        """
        if self.unloaded:
            raise ModelError("the model was unloaded: put another one")
        if self._brain is None:
            raise ModelError("there is no model: run `agent train`")
        return self._brain

    @property
    def version(self) -> str | None:
        """The model that was looked at last: the serving one, or one that was refused."""
        serving = None if self._brain is None else self._brain.model_version
        return self._refused or serving

    async def current(self) -> Brain:
        """The serving brain, up to date with the production model and the corrections.

        The turn that first meets another production model waits until it is loaded, those that
        come meanwhile are answered by the one before. A model that cannot be loaded is reported
        once and the one before serves on.

        Raises:
            ModelError: there is no usable model at all.
        """
        await self._follow_production()
        asked = self._begun
        async with self._lock:
            # Turns that arrive together share one look, which began after the last of them.
            if self._done > asked:
                return self.loaded
            self._begun += 1
            if self._brain is None:
                await self._reload(self.registry.production_id())
            await self.feed.refresh(self._remember)
            if self.trial is not None:
                await self.trial.refresh(self.feed.accepted.values())
            self._done = self._begun
            return self.loaded

    async def _follow_production(self) -> None:
        version = self.registry.production_id()
        known = self._brain is None or version in (self._brain.model_version, self._refused)
        if known or self._reloading:
            return
        self._reloading = True
        try:
            await self._reload(version)
        finally:
            self._reloading = False

    async def listen(self, text: str) -> "tuple[Brain, asyncio.Future[Understanding]]":
        """The brain that serves now and, soon, what a text means to it. Raises as `current`.

        It is computed together with what others ask at the same time.
        """
        with self._together.announced():
            brain = await self.current()
            return brain, self.parse(brain, text)

    def parse(self, brain: Brain, text: str) -> "asyncio.Future[Understanding]":
        """What a text means, soon, computed together with what others ask at the same time."""
        return self._together.understand(brain.interpreter.understand, text)

    def heard(self, message: Message, understood: Understanding) -> Understanding:
        """What is taken of a message: the serving brain's view, or that of the model on trial."""
        if self.trial is None:
            return understood
        return self.trial.hear(understood, message.conversation_id)

    def _remember(self, correction: Correction) -> None:
        if self._brain is not None:
            self._brain.remember(correction)
        if self.trial is not None:
            self.trial.remember(correction)

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


def _said_once(chosen: Decision, so_far: Sequence[Decision]) -> Decision:
    """The decision, but that a fallback which leaves its trace is not taken a second time.

    Rasa takes it until the turn has had its ten actions, then the conversation hears no more.
    """
    if not so_far or so_far[-1].action != chosen.action or not falls_back(chosen):
        return chosen
    return Decision(ACTION_LISTEN, chosen.policy, reason="the fallback action has run")


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
