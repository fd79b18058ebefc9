"""Conversation repair in forms: corrections, cancelling, digressions and coming back from them.

All of it goes beyond Rasa and needs no story; a setting switches it off. The policies do not
know of it, so that test stories are judged as Rasa judges them.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.dialogue.events import (
    ActionExecutionRejected,
    ActiveLoop,
    BotUttered,
    Event,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from agent.dialogue.extraction import filling_mapping
from agent.dialogue.mentions import form_slots, mentions, names_form, same_value
from agent.dialogue.names import (
    ACTION_DEACTIVATE_LOOP,
    ACTION_DEFAULT_FALLBACK,
    ACTION_LISTEN,
    ACTION_UNLIKELY_INTENT,
    INTENT_NLU_FALLBACK,
    LEARNED_POLICY,
    REQUESTED_SLOT,
)
from agent.dialogue.policies import Policies
from agent.dialogue.repair_slots import near_answer, repaired, without_denied
from agent.dialogue.repair_words import marks_of
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain, ProjectConfig
from agent.turn import Decision, Reply

REPAIR_POLICY = "Repair"
CANCEL_INTENTS = frozenset(
    ("cancel", "stop", "abort", "quit", "exit", "nevermind", "never_mind", "cancel_form")
)
_LOOPS_BACK = 3
_SURE = 0.8
"""Confidence in [0, 1] from which another intent explains a text that a form would take."""


class Repair:
    """Repairs what a message does to the active form, and what comes after a digression.

    Args:
        domain: the assistant's domain.
        policies: tell whether anything but the form would act on a message.
        config: the project's language and its fallback action.
        answers: further actions that answer a message and leave the dialogue as it was.
    """

    def __init__(
        self,
        domain: Domain,
        policies: Policies,
        config: ProjectConfig,
        answers: Sequence[str] = (),
    ) -> None:
        self._domain, self._policies = domain, policies
        self._marks = marks_of(config.language)
        core = config.policies.core_fallback_action
        self._fallbacks = frozenset((ACTION_DEFAULT_FALLBACK, core))
        self._answers = frozenset((*self._fallbacks, *answers))

    def take(self, events: Sequence[Event], tracker: Tracker) -> Sequence[Event]:
        """What the latest message fills, from what `action_extract_slots` gave for it.

        A digression or a cancelling message fills no slot with its text; any other message
        to the form may answer, correct and take back (see repaired). Outside a form only
        values that are denied are left out.
        """
        if tracker.latest_message is None:
            return events
        if tracker.active_loop not in self._domain.forms:
            return without_denied(events, tracker, self._domain, self._marks)
        if self.cancels(tracker) or self._is_digression(tracker):
            return self._without_text(events, tracker)
        answered = any(_fills(e, tracker.slot(REQUESTED_SLOT)) for e in events)
        if not answered and (answer := near_answer(tracker, self._domain)):
            return [*events, answer]
        if not self._is_for_form(tracker):
            return events
        return repaired(events, tracker, self._domain, self._marks).events

    def steer(self, tracker: Tracker, so_far: Sequence[Decision], chosen: Decision) -> Decision:
        """The next action: what the policies chose, unless a form needs something else.

        A message that cancels and that nothing else acts on ends the form. After a fallback
        or a corrected answer the form asks again. When a form has ended that had come in the
        middle of another, the other goes on.
        """
        last = so_far[-1] if so_far else None
        form = tracker.active_loop
        if form in self._domain.forms and form is not None:
            declined = tracker.rejected_action == form
            # What the learned policy supposes here no rule or story of the project says.
            guessed = not chosen.confidence or chosen.policy == LEARNED_POLICY
            nobody = chosen.action == ACTION_LISTEN and guessed
            unheard = _intent(tracker) == INTENT_NLU_FALLBACK
            free = guessed or unheard or chosen.action in (form, *self._fallbacks)
            if declined and free and self.cancels(tracker):
                return _decision(ACTION_DEACTIVATE_LOOP, "the user cancels")
            idle = chosen.action in (ACTION_LISTEN, *self._fallbacks)
            answered = last is not None and last.action in self._answers
            if (answered and idle) or (nobody and declined):
                return _decision(form, "the form asks again", interrupted=True)
            return chosen
        if last is not None and is_cancelling(last):
            chosen = _decision(ACTION_LISTEN, "the form was cancelled")
        suspended = self._suspended(tracker) if chosen.action == ACTION_LISTEN else None
        if suspended is None or any(d.action == suspended for d in so_far):
            return chosen
        return _decision(suspended, "the form before goes on")

    def cancels(self, tracker: Tracker) -> bool:
        """Whether the latest message does nothing but end what is under way."""
        message = tracker.latest_message
        if message is None or _is_offered(message.text, tracker):
            return False
        text = message.text or ""
        if _is_cancelling_intent(message.intent) or self._marks.cancels(text):
            return True
        return self._refuses(text, tracker) and not mentions(tracker, self._domain, self._marks)

    def _refuses(self, text: str, tracker: Tracker) -> bool:
        """Whether a message wants no more of the form: of "it", or of what the form is named for.

        Where the form asks for a text, "I don't want to pay anymore" may be that text.
        """
        if self._marks.refuses(text) and not self._answers_by_text(tracker):
            return True
        return self._marks.leaves_unwanted(text) and names_form(text, tracker)

    def refused(
        self, form: str | None, tracker: Tracker, events: Sequence[Event]
    ) -> list[Event] | None:
        """What counts of a form's run that refused a question as an answer; None if it did not.

        A question that a slot would have taken as its text, and that the project's validation
        does not accept, is none for the form: the form declines it, so that others answer.
        """
        asked = tracker.slot(REQUESTED_SLOT)
        if form is None or form != tracker.active_loop or not self._answers_by_text(tracker):
            return None
        judged = [e for e in events if isinstance(e, SlotSet) and e.name != REQUESTED_SLOT]
        verdict = next((e for e in reversed(judged) if e.name == asked), None)
        text = tracker.latest_message.text if tracker.latest_message else None
        if verdict is None or verdict.value is not None or not self._marks.requests(text or ""):
            return None
        return [*judged, ActionExecutionRejected(name=form)]

    def _answers_by_text(self, tracker: Tracker) -> bool:
        """Whether the latest message, as it stands, fills the slot asked for."""
        slot = self._domain.slots.get(str(tracker.slot(REQUESTED_SLOT)))
        mapping = filling_mapping(slot, tracker, self._domain) if slot else None
        said = tracker.latest_message is not None
        return said and mapping is not None and mapping.type == "from_text"

    def _is_digression(self, tracker: Tracker) -> bool:
        """Whether a text that would fill the slot asked for is a question or request of its own."""
        message = tracker.latest_message
        if message is None or not self._answers_by_text(tracker):
            return False
        sure = float((message.parse_data.get("intent") or {}).get("confidence") or 0.0) >= _SURE
        if not sure or self._is_form_intent(message.intent, tracker):
            return False
        if _is_offered(message.text, tracker):
            return False
        action = self._other_action(tracker)
        return action is not None and (
            self._marks.requests(message.text or "") or not self._domain.responses.get(action)
        )

    def _is_for_form(self, tracker: Tracker) -> bool:
        """Whether the message's values are meant for the form, not for what else acts on it."""
        message = tracker.latest_message
        if message is None or self._is_form_intent(message.intent, tracker):
            return True
        text = message.text or ""
        if self._marks.changes(text) and not self._marks.requests(text):
            return True
        denied = [m for m in mentions(tracker, self._domain, self._marks) if m.denied]
        if any(same_value(tracker.slot(n), m.value) for m in denied for n in m.slots):
            return True
        return self._other_action(tracker) is None

    def _is_form_intent(self, intent: str | None, tracker: Tracker) -> bool:
        """Whether an intent belongs to the form: it opened it, fills its slots, or says nothing."""
        if intent in (None, INTENT_NLU_FALLBACK):
            return True
        trigger = (tracker.loop.trigger or {}).get("intent") if tracker.loop else None
        mappings = (m for slot in form_slots(tracker, self._domain) for m in slot.mappings)
        return intent == (trigger or {}).get("name") or any(intent in m.intent for m in mappings)

    def _other_action(self, tracker: Tracker) -> str | None:
        """What a rule or story does with the message if the form declines it, if anything."""
        trial = tracker.copy()
        trial.append(ActionExecutionRejected(name=tracker.active_loop or ""))
        decision = self._policies.decide(trial)
        passive = {ACTION_LISTEN, ACTION_UNLIKELY_INTENT, tracker.active_loop, *self._fallbacks}
        sure = decision.confidence >= 1.0 and decision.action not in passive
        return decision.action if sure else None

    def _without_text(self, events: Sequence[Event], tracker: Tracker) -> list[Event]:
        """The events without the text that would fill the slot asked for."""
        asked = tracker.slot(REQUESTED_SLOT)
        text = tracker.latest_message.text if tracker.latest_message else None
        return [
            e
            for e in events
            if not (isinstance(e, SlotSet) and e.name == asked and e.value == text)
        ]

    def _suspended(self, tracker: Tracker) -> str | None:
        """The form in whose middle the loop opened that ended in this turn."""
        if not _ended_now(tracker):
            return None
        # The latest three are: it ended, it opened, and what was active when it opened.
        loops: list[str | None] = []
        for event in reversed(tracker.events):
            if isinstance(event, Restarted | SessionStarted) or len(loops) == _LOOPS_BACK:
                break
            if isinstance(event, ActiveLoop):
                loops.append(event.name)
        before = loops[2] if len(loops) == _LOOPS_BACK else None
        return before if before in self._domain.forms and before != loops[1] else None


def cancelled_slots(tracker: Tracker, domain: Domain) -> list[SlotSet]:
    """What a cancelled form gathered since the message that opened it, emptied."""
    slots = {slot.name: slot for slot in form_slots(tracker, domain)}
    gathered: dict[str, None] = {}
    opened = False
    for event in reversed(tracker.events):
        if isinstance(event, SlotSet) and event.name in slots:
            gathered[event.name] = None
        opened = opened or (isinstance(event, ActiveLoop) and event.name == tracker.active_loop)
        if opened and isinstance(event, UserUttered):
            break
    return [SlotSet(name=name, value=slots[name].initial_value) for name in gathered]


def without_buttons(replies: Sequence[Reply]) -> tuple[Reply, ...]:
    """The replies with nothing to choose from."""
    return tuple(replace(reply, buttons=()) for reply in replies)


def _intent(tracker: Tracker) -> str | None:
    return tracker.latest_message.intent if tracker.latest_message else None


def _fills(event: Event, slot: str | None) -> bool:
    return isinstance(event, SlotSet) and event.name == slot


def _decision(action: str, reason: str, *, interrupted: bool = False) -> Decision:
    return Decision(action, REPAIR_POLICY, 1.0, reason, loop_interrupted=interrupted)


def is_cancelling(decision: Decision) -> bool:
    """Whether a decision ends a form because the user cancelled it."""
    return (decision.action, decision.policy) == (ACTION_DEACTIVATE_LOOP, REPAIR_POLICY)


def _is_cancelling_intent(intent: str | None) -> bool:
    """Whether an intent ends things by its name, such as `stop` and `cancel_booking`."""
    first = re.split(r"[^a-z]", (intent or "").lower())[0]
    return intent in CANCEL_INTENTS or first in ("cancel", "abort")


def _ended_now(tracker: Tracker) -> bool:
    """Whether a form ended since the latest message."""
    for event in reversed(tracker.events):
        if isinstance(event, ActiveLoop):
            return event.name is None
        if isinstance(event, UserUttered):
            return False
    return False


def _is_offered(text: str | None, tracker: Tracker) -> bool:
    """Whether the text is a button of what the assistant said last."""
    for event in reversed(tracker.events):
        if isinstance(event, BotUttered):
            buttons = event.data.get("buttons") or ()
            return any(text in (b.get("payload"), b.get("title")) for b in buttons)
    return False


__all__ = ["REPAIR_POLICY", "Repair", "cancelled_slots", "is_cancelling", "without_buttons"]
