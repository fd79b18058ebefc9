"""The conversation as stories tell it: without the turns and slots that only rules know."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.dialogue.applied import Frame
from agent.dialogue.events import ActionExecuted, Event
from agent.dialogue.featurizer import Featurizer, State
from agent.dialogue.names import ACTION_LISTEN, ACTION_UNLIKELY_INTENT
from agent.dialogue.situation import Situation, after_event, first_situation
from agent.dialogue.tracker import Tracker


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """A state that stories can know, and the one before it (after hidden ones if `gap`)."""

    state: State
    before: "Visible | None"
    gap: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """How a moment looks to stories.

    `hidden` says that its turn belongs to rules alone; `visible` is the latest state that
    stories know; `action` and `action_text` are the latest action that was not hidden.
    """

    view: "StoryView"
    visible: Visible | None
    hidden: bool
    action: str | None
    action_text: str | None


class StoryView:
    """Shows trackers as stories tell them; what it works out is kept in their frames.

    Args:
        slots: slots that occur in rules only.
        loops: loops that occur in rules only.
    """

    def __init__(
        self, slots: frozenset[str] = frozenset(), loops: frozenset[str] = frozenset()
    ) -> None:
        self._slots, self._loops = slots, loops

    def states(self, tracker: Tracker, limit: int | None = None) -> list[State]:
        """The visible states, oldest first, at most the latest `limit`.

        The latest message counts by its intent, not by its text.
        """
        return _listed(self._latest(tracker), limit)

    def replayed(
        self, events: Iterable[Event], featurizer: Featurizer, limit: int | None = None
    ) -> list[State]:
        """The visible states of a conversation that has just these applied events."""
        now = first_situation(featurizer)
        moment: Moment | None = None
        for event in events:
            if isinstance(event, ActionExecuted):
                moment = self._next(moment, now, event.hide_rule_turn)
            now = after_event(now, event, featurizer)
        return _listed(self._next(moment, now, False), limit)

    def visible(self, tracker: Tracker) -> Visible | None:
        """The latest visible state, linked to those before it."""
        return self._latest(tracker).visible

    def visible_before(self, frame: Frame) -> Visible | None:
        """The latest visible state before an action of a tracker that was shown."""
        derived = frame.derived
        return derived.visible if isinstance(derived, Moment) else None

    def _latest(self, tracker: Tracker) -> Moment:
        frames = tracker.frames
        start = len(frames)
        moment: Moment | None = None
        while start and moment is None:
            derived = frames[start - 1].derived
            if isinstance(derived, Moment) and derived.view is self:
                moment = derived
            else:
                start -= 1
        for frame in frames[start:]:
            moment = frame.derived = self._next(moment, frame.before, frame.event.hide_rule_turn)
        return self._next(moment, tracker.applied, False)

    def _next(self, last: Moment | None, now: Situation, hide: bool) -> Moment:
        hidden = last.hidden if last else False
        action, action_text = now.action, now.action_text
        if last and hidden:
            action, action_text = last.action, last.action_text
        # A follow-up or a loop's own turn says nothing about whether the turn is a rule's.
        if not now.followup and now.action_name != now.loop_name:
            hidden = hide
        visible = last.visible if last else None
        if not hidden:
            state = self._state(now, visible, action, action_text)
            visible = Visible(state, visible, gap=last.hidden if last else False)
        return Moment(self, visible, hidden, action, action_text)

    def _state(
        self, now: Situation, last: Visible | None, action: str | None, action_text: str | None
    ) -> State:
        state = now.state()
        if self._slots:
            state = state._replace(slots=tuple(s for s in state.slots if s[0] not in self._slots))
        if state.loop in self._loops:
            state = state._replace(loop=None)
        if last and now.action != ACTION_LISTEN:
            known = last.state
            state = state._replace(intent=known.intent, text=known.text, entities=known.entities)
        if action or action_text:
            state = state._replace(action=action, action_text=action_text)
        return state


def _listed(moment: Moment, limit: int | None) -> list[State]:
    states: list[State] = []
    node = moment.visible
    while node is not None and len(states) != limit:
        if node.state.action != ACTION_UNLIKELY_INTENT:
            states.append(node.state)
        node = node.before
    if states and states[0].action == ACTION_LISTEN:
        states[0] = states[0]._replace(text=None)
    return states[::-1]
