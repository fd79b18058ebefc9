"""The two-stage fallback: ask what was meant, ask to rephrase, ask again, give up."""

from agent.actions.types import ActionResult
from agent.dialogue.events import (
    ActionExecuted,
    ActiveLoop,
    UserUtteranceReverted,
    UserUttered,
)
from agent.dialogue.extraction import Call
from agent.dialogue.loops import Progress
from agent.dialogue.names import (
    ACTION_DEFAULT_ASK_AFFIRMATION,
    ACTION_DEFAULT_ASK_REPHRASE,
    ACTION_DEFAULT_FALLBACK,
    ACTION_LISTEN,
    ACTION_TWO_STAGE_FALLBACK,
    INTENT_NLU_FALLBACK,
    INTENT_OUT_OF_SCOPE,
)
from agent.dialogue.situation import with_parse_data
from agent.dialogue.tracker import Tracker

_UNCLEAR = (INTENT_NLU_FALLBACK, INTENT_OUT_OF_SCOPE)


async def run_two_stage_fallback(tracker: Tracker, call: Call) -> ActionResult:
    """Run the loop once, after the message that `tracker` heard last.

    Args:
        tracker: the conversation.
        call: runs the built-in (or overridden) actions that ask and give up.

    Raises:
        ActionRejected, ActionError: from an action that the project overrides.
    """
    progress = Progress()
    opened = tracker.active_loop != ACTION_TWO_STAGE_FALLBACK
    if opened:
        progress.events.append(ActiveLoop(name=ACTION_TWO_STAGE_FALLBACK))
    if not _is_done(tracker):
        affirm = opened or _intent(tracker) == INTENT_NLU_FALLBACK
        question = ACTION_DEFAULT_ASK_AFFIRMATION if affirm else ACTION_DEFAULT_ASK_REPHRASE
        progress.add(await call(question, tracker))
        return progress.result()
    progress.events.append(ActiveLoop(name=None))
    if _gives_up(tracker):
        progress.add(await call(ACTION_DEFAULT_FALLBACK, tracker))
    else:
        progress.events.append(UserUtteranceReverted())
        progress.events += [ActionExecuted(name=ACTION_LISTEN), *_clarified(tracker)]
    return progress.result()


def _is_done(tracker: Tracker) -> bool:
    return _intent(tracker) not in _UNCLEAR or _gives_up(tracker)


def _gives_up(tracker: Tracker) -> bool:
    """Whether two messages in a row, or both affirmations, failed."""
    unclear = [INTENT_NLU_FALLBACK, INTENT_NLU_FALLBACK]
    denied = [INTENT_OUT_OF_SCOPE, INTENT_NLU_FALLBACK, INTENT_OUT_OF_SCOPE]
    return unclear == _latest_intents(tracker, 2) or denied == _latest_intents(tracker, 3)


def _latest_intents(tracker: Tracker, count: int) -> list[str | None]:
    """The intents of the latest messages, newest first; an undoing counts as one of them."""
    found: list[str | None] = []
    seen = 0
    for event in reversed(tracker.events_after_restart()):
        if isinstance(event, UserUttered | UserUtteranceReverted):
            seen += 1
            if isinstance(event, UserUttered):
                found.append(event.intent)
        if seen == count:
            break
    return found


def _intent(tracker: Tracker) -> str | None:
    return tracker.latest_message.intent if tracker.latest_message else None


def _clarified(tracker: Tracker) -> list[UserUttered]:
    """The message as if it had been understood with confidence 1."""
    message = tracker.latest_message
    if message is None:
        return []
    intent = {**(message.parse_data.get("intent") or {}), "confidence": 1.0}
    return [with_parse_data(message, intent=intent)]
