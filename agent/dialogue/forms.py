"""Forms: activation, validation, the next question, rejection and the end."""

from collections.abc import Sequence

from agent.actions.types import ActionRejected, ActionResult
from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActiveLoop,
    Event,
    Restarted,
    SlotSet,
    UserUttered,
)
from agent.dialogue.extraction import Call, Take, as_extracted, run_extract_slots
from agent.dialogue.loops import EMPTIED, Progress, last_loop, last_requested
from agent.dialogue.names import ACTION_LISTEN, REQUESTED_SLOT, UTTER_PREFIX
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain


async def run_form(
    name: str, tracker: Tracker, domain: Domain, call: Call, take: Take = as_extracted
) -> ActionResult:
    """Run a form once: open it if needed, take in the message, ask the next question or end.

    Args:
        name: the form.
        tracker: the conversation, with the decision's own events (see decision_events).
        domain: the assistant's domain.
        call: runs `validate_<form>`, the questions and the slots' mapping actions.
        take: what counts of the slots that the message which opens the form fills.

    Raises:
        ActionRejected: a slot was asked for and the message filled none.
        ActionError: a custom action failed.
    """
    return await _Form(name, tracker, domain, call, take).run()


class _Form:
    def __init__(self, name: str, tracker: Tracker, domain: Domain, call: Call, take: Take) -> None:
        self._name, self._tracker, self._domain = name, tracker, domain
        self._call, self._take = call, take
        form = domain.forms.get(name)
        self._required: Sequence[str] = form.required_slots if form else ()
        self._validation = f"validate_{name}"
        self._actions = {*domain.actions, *domain.responses}
        self._progress = Progress()

    async def run(self) -> ActionResult:
        progress = self._progress
        if self._tracker.active_loop != self._name:
            await self._activate()
        if not self._is_done():
            known = len(progress.events)
            if all(isinstance(event, ActiveLoop) for event in progress.events):
                await self._validate_if_required()
            if not _declined(progress.events[known:]):
                await self._ask_next()
        if self._is_done():
            progress.events.append(ActiveLoop(name=None))
        return progress.result()

    async def _activate(self) -> None:
        """Open the form and validate what is already known."""
        self._progress.events.append(ActiveLoop(name=self._name))
        trial = self._tracker.copy()
        trial.append(ActiveLoop(name=self._name))
        extracted = (await run_extract_slots(trial, self._domain, self._call, self._take)).events
        trial.extend(extracted)
        filled = [event for event in extracted if isinstance(event, SlotSet)]
        if self._validation not in self._domain.actions:
            self._progress.events.extend(filled)
            return
        known = {s: trial.slot(s) for s in self._required if trial.slot(s) is not None}
        judged = await self._validate(known, trial)
        names = {event.name for event in judged if isinstance(event, SlotSet)}
        self._progress.events.extend(event for event in filled if event.name not in names)

    async def _validate_if_required(self) -> None:
        """Validate what the message filled, unless the form comes back from an interruption."""
        tracker = self._tracker
        loop = tracker.loop
        if loop is None or (
            tracker.latest_action_name == ACTION_LISTEN and not loop.is_interrupted
        ):
            await self._take_message()
        else:
            await self._validate({}, tracker)

    async def _take_message(self) -> None:
        filled = self._filled_by_message()
        judged = await self._validate(filled, self._tracker)
        accepted = [e for e in judged if isinstance(e, SlotSet) and e.name != REQUESTED_SLOT]
        asked = self._requested()
        if asked and not (filled or accepted or self._took_back()) and not _declined(judged):
            raise ActionRejected(self._name, f"the message did not fill the slot {asked!r}")

    async def _validate(self, slots: dict[str, object], tracker: Tracker) -> Sequence[Event]:
        """Let the project's own action judge the slots; nothing happens if it has none."""
        if self._validation not in self._domain.actions:
            return ()
        trial = self._trial(tracker, [SlotSet(name=n, value=v) for n, v in slots.items()])
        result = await self._call(self._validation, trial)
        self._progress.add(result)
        return result.events

    async def _ask_next(self) -> None:
        """Ask for the first required slot that is empty, or for the one that was set."""
        progress = self._progress
        if self._is_done():
            progress.events.append(SlotSet(name=REQUESTED_SLOT, value=None))
            return
        trial = self._trial(self._tracker, progress.events)
        chosen = next((e for e in progress.events if _requests(e)), None)
        slot = chosen.value if isinstance(chosen, SlotSet) and chosen.value else None
        if slot is None:
            slot = next((s for s in self._required if trial.slot(s) is None), None)
            progress.events.append(SlotSet(name=REQUESTED_SLOT, value=slot))
        question = self._question(slot) if slot else None
        if question:
            progress.add(await self._call(question, trial))

    def _question(self, slot: str) -> str | None:
        names = (
            f"action_ask_{self._name}_{slot}",
            f"{UTTER_PREFIX}ask_{self._name}_{slot}",
            f"action_ask_{slot}",
            f"{UTTER_PREFIX}ask_{slot}",
        )
        return next((name for name in names if name in self._actions), None)

    def _trial(self, tracker: Tracker, events: Sequence[Event]) -> Tracker:
        """The conversation as the project's actions see it in the middle of the form."""
        requested = tracker.slot(REQUESTED_SLOT) if tracker.active_loop == self._name else None
        trial = tracker.copy()
        # Rasa marks with the form's own run which events are new, and so do rasa-sdk's forms.
        trial.append(SlotSet(name=REQUESTED_SLOT, value=requested))
        trial.append(ActionExecuted(name=self._name))
        trial.extend(events)
        return trial

    def _requested(self) -> str | None:
        """The slot that was asked for; another form's question does not count."""
        if self._tracker.active_loop != self._name:
            return None
        slot = self._tracker.slot(REQUESTED_SLOT)
        return str(slot) if slot else None

    def _filled_by_message(self) -> dict[str, object]:
        """The form's slots that were set since the latest message that was not undone."""
        wanted = {*self._required, self._requested()}
        recent = [event for event in self._set_by_message() if event.name in wanted]
        return {event.name: event.value for event in recent if not event.metadata.get(EMPTIED)}

    def _took_back(self) -> bool:
        """Whether the message took a value back, so that it has to be asked for again."""
        return any(event.metadata.get(EMPTIED) for event in self._set_by_message())

    def _set_by_message(self) -> list[SlotSet]:
        latest = self._tracker.latest_message
        recent: list[SlotSet] = []
        for event in reversed(self._tracker.events):
            if isinstance(event, Restarted) or _is_same_message(event, latest):
                break
            if isinstance(event, SlotSet):
                recent.append(event)
        return recent[::-1]

    def _is_done(self) -> bool:
        """Whether an action ended the form, or no question is left."""
        events = self._progress.events
        if _declined(events):
            return False
        requested, loop = last_requested(events), last_loop(events)
        return bool(
            (requested is not None and requested.value is None)
            or (loop is not None and loop.name is None)
        )


def _is_same_message(event: Event, message: UserUttered | None) -> bool:
    """Whether they say and mean the same, as Rasa compares messages."""
    if message is None or not isinstance(event, UserUttered):
        return False
    return (event.text, event.intent) == (message.text, message.intent)


def _declined(events: Sequence[Event]) -> bool:
    return any(isinstance(event, ActionExecutionRejected) for event in events)


def _requests(event: Event) -> bool:
    return isinstance(event, SlotSet) and event.name == REQUESTED_SLOT
