"""Runs the action that was decided on: built-in, a response, a form, or the project's own."""

import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from agent.actions import builtin
from agent.actions.recommend import RecommendActions
from agent.actions.speech import Speech, retrieval_intent
from agent.actions.types import ActionResult, CustomActions
from agent.actions.wire import read_events, read_messages, tracker_state
from agent.dialogue.events import Event
from agent.dialogue.extraction import Take, as_extracted, run_extract_slots
from agent.dialogue.forms import run_form
from agent.dialogue.names import ACTION_EXTRACT_SLOTS, ACTION_TWO_STAGE_FALLBACK, UTTER_PREFIX
from agent.dialogue.repair import cancelled_slots
from agent.dialogue.tracker import Tracker
from agent.dialogue.two_stage import run_two_stage_fallback
from agent.errors import ActionError
from agent.project.types import Domain
from agent.prompts.responses import Utterance, utterance
from agent.turn import Decision

_log = logging.getLogger(__name__)


class Executor:
    """Turns decisions into events and replies; it reads trackers and never changes them.

    Args:
        domain: what is a response, a form, an overridden built-in.
        speech: finds the words.
        custom: runs the project's own actions, if it has any.
        recommend: suggests items, if the project has any.
        take: what counts of the slots that a message fills.
    """

    def __init__(
        self,
        domain: Domain,
        speech: Speech,
        custom: CustomActions | None = None,
        recommend: RecommendActions | None = None,
        *,
        take: Take = as_extracted,
    ) -> None:
        self.domain, self.speech, self.custom = domain, speech, custom
        self.recommend, self.take = recommend, take

    async def run(self, decision: Decision, tracker: Tracker, *, channel: str) -> ActionResult:
        """Run an action; a custom action that fails costs the turn an apology, no more.

        Raises:
            ActionRejected: the action declined to run.
        """
        try:
            return await self.perform(decision.action, tracker, channel=channel)
        except ActionError as error:
            _log.error("%s", error)
            sorry = self.speech.failure(error, tracker)
            return replace(_result([sorry]), error=str(error))

    async def perform(self, name: str, tracker: Tracker, *, channel: str) -> ActionResult:
        """Run an action by its name (or, end to end, its text).

        Raises:
            ActionRejected: the action declined to run.
            ActionError: a custom action failed, hung, or is unknown.
        """
        if name not in self.domain.actions and (own := self._builtin(name, tracker, channel)):
            return await own
        if intent := retrieval_intent(name, tracker):
            return _result(await self.speech.respond(intent, tracker, channel))
        if name in self.domain.e2e_actions:
            return _result([utterance({"text": name}, tracker.conversation_id)])
        if name.startswith(UTTER_PREFIX):
            return _result(await self.speech.utter(name, tracker, channel))
        return await self.call(name, tracker, channel=channel)

    def cancel_form(self, tracker: Tracker) -> ActionResult:
        """End the active form because the user wants so; what it gathered is forgotten."""
        events = [*builtin.deactivate_loop(tracker), *cancelled_slots(tracker, self.domain)]
        return _result([self.speech.cancelled(tracker)], events)

    async def call(self, name: str, tracker: Tracker, *, channel: str) -> ActionResult:
        """Run one of the project's own actions: first what it says, then what it changes.

        Raises:
            ActionRejected: the action declined to run.
            ActionError: it failed, hung, or is unknown.
        """
        if self.recommend is not None and self.recommend.knows(name):
            return await self.recommend.run(name, tracker)
        if self.custom is None:
            raise ActionError(
                name, "is no response, form or built-in action, and the project has no actions"
            )
        reply = await self.custom.call(name, tracker_state(tracker), self.domain.raw)
        said = await read_messages(reply, tracker, source=self.speech.responses, channel=channel)
        return _result(said, read_events(name, reply, self.domain))

    def _builtin(
        self, name: str, tracker: Tracker, channel: str
    ) -> Coroutine[Any, Any, ActionResult] | None:
        """The run of a built-in action, a form or a loop; None if the name is none of these."""
        call = partial(self.perform, channel=channel)
        if name in builtin.EVENTS:
            return self._run_builtin(name, tracker, channel)
        if name == ACTION_EXTRACT_SLOTS:
            return run_extract_slots(tracker, self.domain, call, self.take)
        if name == ACTION_TWO_STAGE_FALLBACK:
            return run_two_stage_fallback(tracker, call)
        if name in self.domain.forms:
            return run_form(name, tracker, self.domain, call, self.take)
        return None

    async def _run_builtin(self, name: str, tracker: Tracker, channel: str) -> ActionResult:
        said = await self.speech.of_builtin(name, tracker, channel)
        return _result(said, builtin.EVENTS[name](tracker))


def _result(said: Sequence[Utterance], events: Sequence[Event] = ()) -> ActionResult:
    """What was said, then the events that follow from it."""
    return ActionResult(
        events=(*(one.event for one in said), *events),
        replies=tuple(one.reply for one in said if one.reply is not None),
    )
