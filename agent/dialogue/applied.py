"""The events that still count: without what was undone, with a loop's happy path folded."""

from typing import NamedTuple

from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActiveLoop,
    Event,
    UserFeaturized,
    UserUttered,
)
from agent.dialogue.featurizer import Featurizer, State
from agent.dialogue.situation import Situation, after_event, first_situation


class Frame:
    """An action about to run: the event, the situation before it, and its place.

    `derived` is room for what a policy computes from the frame once.
    """

    __slots__ = ("_state", "before", "derived", "event", "index")

    def __init__(self, event: ActionExecuted, before: Situation, index: int) -> None:
        self.event, self.before, self.index = event, before, index
        self.derived: object = None
        self._state: State | None = None

    @property
    def state(self) -> State:
        """What the policies see of the situation before the action."""
        if self._state is None:
            self._state = self.before.state()
        return self._state


class _Entry(NamedTuple):
    event: Event
    after: Situation


class AppliedEvents:
    """The applied events with the situation after each; undoing pops, adding costs O(1).

    A loop that runs again on its happy path takes the place of its former run: messages
    and actions since then are dropped, slots stay (as Rasa's trackers do it).
    """

    def __init__(self, featurizer: Featurizer) -> None:
        self._featurizer = featurizer
        self._first = first_situation(featurizer)
        self._entries: list[_Entry] = []
        self.frames: list[Frame] = []
        self._loop_names: set[str] = set()
        # Which loop was folded last and where that ended: between its run and there nothing
        # is left to drop, so the next fold need not look again.
        self._folded: tuple[str | None, int] = (None, 0)

    @property
    def now(self) -> Situation:
        """What the applied events add up to."""
        return self._entries[-1].after if self._entries else self._first

    def events(self, start: int = 0) -> list[Event]:
        """The applied events in order, from the `start`-th on."""
        return [entry.event for entry in self._entries[start:]]

    def latest_message(self) -> UserUttered | None:
        """The latest user message that still counts."""
        events = (entry.event for entry in reversed(self._entries))
        return next((event for event in events if isinstance(event, UserUttered)), None)

    def __len__(self) -> int:
        return len(self._entries)

    def copy(self) -> "AppliedEvents":
        """An independent copy; the values in it are shared."""
        other = AppliedEvents(self._featurizer)
        other._entries = self._entries.copy()
        other.frames = self.frames.copy()
        other._loop_names = self._loop_names.copy()
        other._folded = self._folded
        return other

    def clear(self) -> None:
        """Forget all (a restart or a new session)."""
        self._truncate(0)

    def add(self, event: Event) -> bool:
        """Apply one more event; False if that dropped earlier ones."""
        relearned = isinstance(event, ActiveLoop) and self._learn_loop(event.name)
        if isinstance(event, ActionExecuted) and self._repeats_loop(event.name):
            self._fold_loop(event.name)
            return False
        self._append(event)
        return not relearned

    def undo_action(self) -> None:
        """Drop the last action and all after it."""
        self._truncate(self.frames[-1].index if self.frames else 0)

    def undo_message(self) -> None:
        """Drop the last message, all after it, and the `action_listen` before it."""
        at = len(self._entries) - 1
        while at >= 0 and not isinstance(self._entries[at].event, UserUttered):
            at -= 1
        self._truncate(max(at, 0))
        self.undo_action()

    def _append(self, event: Event) -> None:
        before = self.now
        if isinstance(event, ActionExecuted):
            self.frames.append(Frame(event, before, len(self._entries)))
        self._entries.append(_Entry(event, after_event(before, event, self._featurizer)))

    def _truncate(self, length: int) -> None:
        del self._entries[length:]
        while self.frames and self.frames[-1].index >= length:
            self.frames.pop()
        if length < self._folded[1]:
            self._folded = (None, 0)

    def _learn_loop(self, name: str | None) -> bool:
        """From now on `name` is a loop; True if that changes how earlier events count."""
        if name is None or name in self._loop_names:
            return False
        self._loop_names.add(name)
        if sum(frame.event.name == name for frame in self.frames) < 2:
            return False
        events = self.events()
        self._truncate(0)
        for event in events:
            self.add(event)
        return True

    def _repeats_loop(self, name: str | None) -> bool:
        """Whether the action is a loop that already ran and nothing else came between."""
        if name is None or name not in self._loop_names:
            return False
        next_action: str | None = None
        folded_to = self._folded_to(name)
        for index in range(len(self._entries) - 1, -1, -1):
            event = self._entries[index].event
            if index < folded_to:
                return True
            if isinstance(event, ActiveLoop) and event.name is None:
                return False
            if isinstance(event, ActionExecutionRejected) and event.name == name:
                return False
            if isinstance(event, UserUttered) and next_action not in (None, name):
                return False
            if isinstance(event, ActionExecuted):
                if event.name == name:
                    return True
                next_action = event.name
        return False

    def _fold_loop(self, name: str | None) -> None:
        """Drop messages and actions since the loop's last run, keep the rest."""
        last_run = next(f.index for f in reversed(self.frames) if f.event.name == name)
        start = max(last_run + 1, self._folded_to(name))
        dropped = (ActionExecuted, UserUttered, UserFeaturized)
        kept = [e.event for e in self._entries[start:] if not isinstance(e.event, dropped)]
        self._truncate(start)
        for event in kept:
            self._append(event)
        self._folded = (name, len(self._entries))

    def _folded_to(self, name: str | None) -> int:
        """Where the last fold of this loop ended, 0 if another was folded last."""
        loop, end = self._folded
        return end if loop == name else 0
