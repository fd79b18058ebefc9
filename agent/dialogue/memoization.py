"""The memoization policies: the turns of the stories, recalled word for word."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.dialogue.events import ActionExecuted
from agent.dialogue.featurizer import State
from agent.dialogue.names import ACTION_LISTEN
from agent.dialogue.rule_training import run_script
from agent.dialogue.scripts import Script
from agent.dialogue.story_view import StoryView
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain


@dataclass(frozen=True, slots=True)
class Memory:
    """A remembered turn: after these states, oldest first, comes this action."""

    states: tuple[State, ...]
    action: str
    story: str = ""


def memorize(
    stories: Sequence[Script], domain: Domain, max_history: int | None
) -> Iterator[Memory]:
    """Every turn of the stories; what is followed by different actions is not remembered.

    Args:
        max_history: the number of states that count, None for the whole conversation.
    """
    turns: dict[tuple[State, ...], Memory | None] = {}
    for script in stories:
        for states, action in run_script(script, domain).turns():
            key = tuple(states[-max_history:] if max_history else states)
            known = turns.setdefault(key, Memory(key, action, script.name))
            if known and known.action != action:
                turns[key] = None
    yield from (memory for memory in turns.values() if memory)


class MemoizationPolicy:
    """Recalls the turn of a story that equals the latest states.

    A prediction costs `max_history` states, whatever the length of the conversation.

    Args:
        memories: what `memorize` gave.
        view: how stories see a tracker.
        max_history: as in `memorize`.
        augmented: also look for stories that begin later than the conversation did.
    """

    def __init__(
        self,
        memories: Sequence[Memory],
        view: StoryView,
        max_history: int | None,
        augmented: bool = False,
    ) -> None:
        self._memories: Mapping[tuple[State, ...], Memory] = {m.states: m for m in memories}
        self._longest = max((len(m.states) for m in memories), default=0)
        self._view, self._max_history, self._augmented = view, max_history, augmented

    @property
    def name(self) -> str:
        """Rasa's name of the policy."""
        return "AugmentedMemoizationPolicy" if self._augmented else "MemoizationPolicy"

    def recall(self, tracker: Tracker) -> Memory | None:
        """The remembered turn that fits, if any."""
        memory, states = self._look_up(tracker)
        if memory is None and self._augmented:
            return self._recall_shorter(tracker, states)
        return memory

    def _look_up(self, tracker: Tracker) -> tuple[Memory | None, list[State]]:
        # One state more than the longest memory is enough to know that none fits.
        limit = self._max_history or self._longest + 1
        states = self._view.states(tracker, limit)
        return self._memories.get(tuple(states)), states

    def _recall_shorter(self, tracker: Tracker, states: list[State]) -> Memory | None:
        """Forget the oldest action again and again, as if the conversation began after it."""
        for shorter in self._shortened(tracker):
            memory, fewer = self._look_up(shorter)
            if memory is not None and fewer != states:
                return memory
            states = fewer
        return None

    def _shortened(self, tracker: Tracker) -> Iterator[Tracker]:
        limit = self._max_history or self._longest
        events = tracker.applied_events(_start_of_recent(tracker, limit))
        actions = [i for i, event in enumerate(events) if isinstance(event, ActionExecuted)]
        for start in actions:
            yield Tracker(tracker.conversation_id, tracker.domain, events[start:])


def _start_of_recent(tracker: Tracker, actions: int) -> int:
    """Where the applied events begin that hold more than so many actions and a whole turn."""
    for count, frame in enumerate(reversed(tracker.frames), start=1):
        if count > actions and frame.event.name == ACTION_LISTEN:
            return frame.index
    return 0
