"""The memoization policies: the turns of the stories, recalled word for word."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.dialogue.events import ActionExecuted
from agent.dialogue.featurizer import State, featurizer_for
from agent.dialogue.names import ACTION_LISTEN
from agent.dialogue.rule_training import run_script
from agent.dialogue.scripts import Script
from agent.dialogue.slots import Feature
from agent.dialogue.story_view import StoryView, Visible
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
        self._by_intent: dict[str | None, list[Memory]] = defaultdict(list)
        for memory in memories:
            self._by_intent[memory.states[-1].intent].append(memory)
        self._view, self._max_history, self._augmented = view, max_history, augmented

    @property
    def name(self) -> str:
        """Rasa's name of the policy."""
        return "AugmentedMemoizationPolicy" if self._augmented else "MemoizationPolicy"

    def recall(self, tracker: Tracker) -> Memory | None:
        """The remembered turn that fits, if any."""
        # One state more than the longest memory is enough to know that none fits.
        limit = self._max_history or self._longest + 1
        states = self._view.states(tracker, limit)
        memory = self._memories.get(tuple(states))
        if memory is None and self._augmented and states:
            return self._recall_shorter(tracker, states, limit)
        return memory

    def _recall_shorter(self, tracker: Tracker, states: list[State], limit: int) -> Memory | None:
        """Forget the oldest action again and again, as if the conversation began after it."""
        longest = max(map(len, self._candidates(tracker)), default=0)
        if not longest:
            return None
        featurizer = featurizer_for(tracker.domain)
        events = tracker.applied_events(self._start(tracker, longest))
        for i, event in enumerate(events):
            if isinstance(event, ActionExecuted):
                fewer = self._view.replayed(events[i:], featurizer, limit)
                memory = self._memories.get(tuple(fewer))
                if memory is not None and fewer != states:
                    return memory
                states = fewer
        return None

    def _candidates(self, tracker: Tracker) -> Iterator[tuple[State, ...]]:
        """Remembered states that may fit once what was long ago is forgotten."""
        last = self._view.visible(tracker)
        if last is None:
            return
        initial = dict(featurizer_for(tracker.domain).initial_features)
        # The message itself may be forgotten, too.
        for intent in {last.state.intent, None}:
            for memory in self._by_intent.get(intent, ()):
                if _may_fit(memory.states, last, initial):
                    yield memory.states

    def _start(self, tracker: Tracker, longest: int) -> int:
        """Where the applied events begin that can still show so many states (Rasa's window)."""
        if self._max_history:
            return _start_of_recent(tracker, self._max_history)
        visible, count = None, 0
        for back, frame in enumerate(reversed(tracker.frames)):
            node = self._view.visible_before(frame)
            count += node is not visible
            visible = node
            if count > longest or back > _FARTHEST:
                return frame.index
        return 0


# Turns that stories cannot see do not count as history: somewhere the search must end.
_FARTHEST = 30


def _may_fit(states: Sequence[State], last: Visible, initial: Mapping[str, Feature]) -> bool:
    """Whether the visible states could become these by forgetting older messages and slots.

    Where turns were hidden this cannot be told: forgetting may bring them to light.
    """
    node: Visible | None = last
    for state in reversed(states[1:]):
        if node is None:
            return False
        if not _may_become(node.state, state, initial):
            return node.gap and node is not last
        node = node.before
    return True


def _may_become(seen: State, wanted: State, initial: Mapping[str, Feature]) -> bool:
    if (seen.action, seen.action_text) != (wanted.action, wanted.action_text):
        return False
    if wanted.loop not in (None, seen.loop) or wanted.intent not in (None, seen.intent):
        return False
    have = dict(seen.slots)
    return all(f in (have.get(name), initial.get(name)) for name, f in wanted.slots)


def _start_of_recent(tracker: Tracker, actions: int) -> int:
    """Where the applied events begin that hold more than so many actions and a whole turn."""
    for count, frame in enumerate(reversed(tracker.frames), start=1):
        if count > actions and frame.event.name == ACTION_LISTEN:
            return frame.index
    return 0
