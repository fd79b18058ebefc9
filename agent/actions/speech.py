"""What built-in and response actions say, in the project's words where it has some."""

import logging

from agent.actions.builtin import affirmed_intent
from agent.actions.knowledge import KnowledgeBase, answer, say, unknown, with_doors
from agent.actions.suggestions import with_suggestions
from agent.dialogue.events import UserUttered
from agent.dialogue.names import (
    ACTION_BACK,
    ACTION_DEACTIVATE_LOOP,
    ACTION_DEFAULT_ASK_AFFIRMATION,
    ACTION_DEFAULT_ASK_REPHRASE,
    ACTION_DEFAULT_FALLBACK,
    ACTION_RESTART,
    INTENT_NLU_FALLBACK,
    INTENT_OUT_OF_SCOPE,
    UTTER_PREFIX,
)
from agent.dialogue.tracker import Tracker
from agent.errors import ActionError, AgentError
from agent.prompts.responses import ResponseSource, Utterance, utterance
from agent.prompts.templates import Templates
from agent.turn import Button

RESPOND_PREFIX = "respond_"
ACTION_FAILED = "action_failed"
_OWN_RESPONSES = {
    ACTION_RESTART: "utter_restart",
    ACTION_BACK: "utter_back",
    ACTION_DEFAULT_ASK_REPHRASE: "utter_ask_rephrase",
    ACTION_DEFAULT_FALLBACK: "utter_default",
}
_log = logging.getLogger(__name__)


class Speech:
    """Finds the words for an action.

    Args:
        responses: drafts the named responses.
        templates: what the agent says where the project has no response for it.
        knowledge: answers what no intent covers, if the project has a knowledge folder.
    """

    def __init__(
        self, responses: ResponseSource, templates: Templates, knowledge: KnowledgeBase | None
    ) -> None:
        self.responses, self.templates, self.knowledge = responses, templates, knowledge

    async def utter(self, name: str, tracker: Tracker, channel: str) -> list[Utterance]:
        """A response of the domain; nothing (and a warning) if none of its variations fits."""
        said = await self._drafted(name, tracker, channel)
        if said is None:
            _log.warning("no variation of %r fits the channel %r: nothing is said", name, channel)
            return []
        return [said]

    async def respond(self, intent: str, tracker: Tracker, channel: str) -> list[Utterance]:
        """The response that the response selector chose for a retrieval intent."""
        message = tracker.latest_message
        selector = (message.parse_data.get("response_selector") if message else None) or {}
        selected = selector.get(intent) or selector.get("default") or {}
        name = (selected.get("response") or {}).get("utter_action")
        if not name and message and (message.intent or "").startswith(f"{intent}/"):
            # A payload such as `/faq/hours` names the answer itself.
            name = f"{UTTER_PREFIX}{message.intent}"
        if not name:
            _log.warning("nothing was selected for %r: nothing is said", f"{UTTER_PREFIX}{intent}")
            return []
        return await self.utter(str(name), tracker, channel)

    async def of_builtin(self, name: str, tracker: Tracker, channel: str) -> list[Utterance]:
        """What a built-in action says beside its events; most say nothing."""
        if name == ACTION_DEFAULT_FALLBACK:
            return [await self._fallback(tracker, channel)]
        if name == ACTION_DEFAULT_ASK_AFFIRMATION:
            return self._affirmation(tracker)
        own = _OWN_RESPONSES.get(name)
        said = await self._drafted(own, tracker, channel) if own else None
        if said is None and name == ACTION_DEFAULT_ASK_REPHRASE:
            said = self._template("rephrase", tracker, utter_action=name)
        return [] if said is None else [said]

    def failure(self, error: ActionError, tracker: Tracker) -> Utterance:
        """The apology for an action that failed."""
        return self._template(
            ACTION_FAILED, tracker, utter_action=error.action, action=error.action
        )

    def cancelled(self, tracker: Tracker) -> Utterance:
        """That the active form is ended, because the user wants so."""
        return self._template("form_cancelled", tracker, utter_action=ACTION_DEACTIVATE_LOOP)

    async def _fallback(self, tracker: Tracker, channel: str) -> Utterance:
        """An answer from the knowledge base, else the project's own words, else ours."""
        message, recipient = tracker.latest_message, tracker.conversation_id
        if self.knowledge is not None and message is not None:
            try:
                found = await answer(message, self.knowledge, self.templates, tracker)
            except (AgentError, ImportError) as error:
                # An index that cannot be read must not cost the user a turn.
                _log.error("the knowledge base cannot be searched: %s", error)
                found = None
            if found is not None:
                return found
        own = await self._drafted(_OWN_RESPONSES[ACTION_DEFAULT_FALLBACK], tracker, channel)
        # In the middle of a form its own question is what is left to answer.
        suggest = tracker.active_loop is None
        if own is None and not suggest and _is_understood(message):
            name = ACTION_DEFAULT_FALLBACK
            return self._template("rephrase", tracker, utter_action=name)
        if own is None:
            return unknown(
                message, tracker.domain, self.templates, recipient=recipient, suggest=suggest
            )
        # A project without knowledge is a Rasa project: what it says there, it says here.
        own = with_doors(own)
        if self.knowledge is None or not suggest:
            return own
        return with_suggestions(own, message, tracker.domain)

    def _affirmation(self, tracker: Tracker) -> list[Utterance]:
        message = tracker.latest_message
        intent = affirmed_intent(message) if message else None
        if intent is None:
            return []
        known = tracker.domain.intents.get(intent)
        title = (known.title if known else None) or intent
        yes = self.templates.render("affirmation_yes").text
        no = self.templates.render("affirmation_no").text
        prompt = self.templates.render("affirmation", intent=intent, title=title)
        buttons = (Button(yes, f"/{intent}"), Button(no, f"/{INTENT_OUT_OF_SCOPE}"))
        name = ACTION_DEFAULT_ASK_AFFIRMATION
        return [say(prompt, tracker.conversation_id, buttons=buttons, utter_action=name)]

    def _template(
        self, prompt: str, tracker: Tracker, *, utter_action: str, **values: str
    ) -> Utterance:
        rendered = self.templates.render(prompt, **values)
        return say(rendered, tracker.conversation_id, utter_action=utter_action)

    async def _drafted(self, name: str, tracker: Tracker, channel: str) -> Utterance | None:
        draft = await self.responses.draft(name, tracker, channel=channel, arguments={})
        if draft is None:
            return None
        return utterance({**draft, "utter_action": name}, tracker.conversation_id)


def _is_understood(message: UserUttered | None) -> bool:
    """Whether an intent was found, though nothing came of it."""
    unclear = (None, INTENT_NLU_FALLBACK, INTENT_OUT_OF_SCOPE)
    return message is not None and message.intent not in unclear


def retrieval_intent(name: str, tracker: Tracker) -> str | None:
    """The retrieval intent that an action answers, None if it is another action."""
    for prefix in (UTTER_PREFIX, RESPOND_PREFIX):
        intent = tracker.domain.intents.get(name.removeprefix(prefix))
        if name.startswith(prefix) and intent is not None and intent.is_retrieval:
            return intent.name
    return None
