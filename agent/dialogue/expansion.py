"""Stories over checkpoints: every path through the blocks, as scripts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from agent.dialogue.events import Event
from agent.dialogue.scripts import (
    MAX_CHOICES,
    Block,
    Script,
    block_events,
    first_unpredictable,
    has_too_many_choices,
    rule_scripts,
    story_blocks,
)
from agent.dialogue.tracker import Tracker
from agent.project.types import CheckpointStep, Domain, Notice, Project, Rule, Story

MAX_SCRIPTS = 20_000
"""More paths than this through the checkpoints of a project are left out, with a notice."""
_MAX_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Scripts:
    """All scripts of a project and what was odd about its checkpoints."""

    stories: tuple[Script, ...]
    rules: tuple[Script, ...]
    notices: tuple[Notice, ...] = ()


def project_scripts(project: Project) -> Scripts:
    """The project's stories and rules as scripts."""
    stories, notices = story_scripts(project.stories, project.domain)
    return Scripts(stories, rules_as_scripts(project.rules, project.domain), notices)


def rules_as_scripts(rules: Sequence[Rule], domain: Domain) -> tuple[Script, ...]:
    """Every way through each rule."""
    return tuple(script for rule in rules for script in rule_scripts(rule, domain))


def story_scripts(
    stories: Sequence[Story], domain: Domain
) -> tuple[tuple[Script, ...], tuple[Notice, ...]]:
    """Every way through the stories, joined at their checkpoints (a loop is walked once more)."""
    blocks = [block for story in stories for block in story_blocks(story)]
    walker = _Walker(blocks, domain)
    scripts = tuple(islice(walker.scripts(), MAX_SCRIPTS))
    notices = [*walker.notices(), *_choices_left_out(stories)]
    if len(scripts) < MAX_SCRIPTS and not walker.is_tired:
        notices += walker.never_reached()
    else:
        message = "the stories have too many ways through their checkpoints and `or` steps"
        notices.append(Notice(f"{message}: {len(scripts)} are kept, the rest is left out"))
    return scripts, tuple(notices)


def _choices_left_out(stories: Sequence[Story]) -> Iterator[Notice]:
    for story in stories:
        if has_too_many_choices(story):
            text = f"story {story.name!r} has too many ways through its `or` steps"
            yield Notice(f"{text}: {MAX_CHOICES} of them are kept", story.place, "stories")


@dataclass(frozen=True, slots=True)
class _Path:
    """A walk so far: the block names, the conversation, whether a loop was walked again."""

    names: tuple[str, ...]
    tracker: Tracker
    looped: bool
    first_action: Event | None


class _Walker:
    """Walks from block to block over their checkpoints."""

    def __init__(self, blocks: Sequence[Block], domain: Domain) -> None:
        self._blocks, self._domain = blocks, domain
        self._by_start: dict[str, list[int]] = defaultdict(list)
        for i, block in enumerate(blocks):
            for name in dict.fromkeys(start.name for start in block.starts):
                self._by_start[name].append(i)
        self._back_edges = self._find_back_edges()
        self._steps = 0
        self._reached: set[int] = set()

    @property
    def is_tired(self) -> bool:
        """Whether it stopped before every way was walked: circles may lead nowhere for ever."""
        return self._steps >= _MAX_STEPS

    def scripts(self) -> Iterator[Script]:
        """Every finished walk."""
        for i, block in enumerate(self._blocks):
            if not block.starts:
                yield from self._walk(i)

    def notices(self) -> tuple[Notice, ...]:
        """Checkpoints that nobody leads to, or that lead nowhere."""
        ends = {block.end for block in self._blocks}
        found = [
            Notice(f"story {b.name!r} starts at checkpoint {s.name!r}, where none ends", b.place)
            for b in self._blocks
            for s in b.starts
            if s.name not in ends
        ]
        found += [
            Notice(f"story {b.name!r} ends at checkpoint {b.end!r}, where none starts", b.place)
            for b in self._blocks
            if b.end is not None and b.end not in self._by_start
        ]
        return tuple(dict.fromkeys(found))

    def never_reached(self) -> tuple[Notice, ...]:
        """Stories whose checkpoint others lead to, but none that begins a conversation."""
        ends = {block.end for block in self._blocks}
        found = [
            Notice(f"story {b.name!r} is never reached through its checkpoint", b.place, "stories")
            for i, b in enumerate(self._blocks)
            if i not in self._reached and all(start.name in ends for start in b.starts)
        ]
        return tuple(dict.fromkeys(found))

    def _walk(self, root: int) -> Iterator[Script]:
        """Every finished walk from a block, depth first."""
        ahead = [(root, _Path((), Tracker("", self._domain), False, None))]
        while ahead and not self.is_tired:
            self._steps += 1
            index, path = ahead.pop()
            self._reached.add(index)
            block, here = self._blocks[index], self._after(index, path)
            followers = self._followers(index)
            if not followers:
                events = tuple(here.tracker.events)
                yield Script(_joined(here.names), events, False, here.first_action, block.place)
            for follower in reversed(followers):
                if self._is_open(index, follower, here):
                    looped = here.looped or (index, follower) in self._back_edges
                    ahead.append((follower, replace(here, looped=looped)))

    def _after(self, index: int, path: _Path) -> _Path:
        """The walk with one more block."""
        block = self._blocks[index]
        events = block_events(block, self._domain)
        tracker = path.tracker.copy()
        tracker.extend(events)
        first = path.first_action or (None if path.names else first_unpredictable(block, events))
        return _Path((*path.names, block.name), tracker, path.looped, first)

    def _is_open(self, index: int, follower: int, here: _Path) -> bool:
        """Whether a walk goes on from a block to another: no second circle, conditions hold."""
        if here.looped and (index, follower) in self._back_edges:
            return False
        start = next(s for s in self._blocks[follower].starts if s.name == self._blocks[index].end)
        return _holds(start, here.tracker)

    def _find_back_edges(self) -> set[tuple[int, int]]:
        """The steps that close a circle, found by walking depth first."""
        done: set[int] = set()
        back: set[tuple[int, int]] = set()
        for root in range(len(self._blocks)):
            stack: list[tuple[int, Iterator[int]]] = []
            open_: set[int] = set()
            if root not in done:
                stack.append((root, iter(self._followers(root))))
                open_.add(root)
            while stack:
                node, followers = stack[-1]
                follower = next(followers, None)
                if follower is None:
                    stack.pop()
                    open_.discard(node)
                    done.add(node)
                elif follower in open_:
                    back.add((node, follower))
                elif follower not in done:
                    stack.append((follower, iter(self._followers(follower))))
                    open_.add(follower)
        return back

    def _followers(self, index: int) -> list[int]:
        end = self._blocks[index].end
        return self._by_start.get(end, []) if end else []


def _holds(start: CheckpointStep, tracker: Tracker) -> bool:
    return all(tracker.slot(name) == value for name, value in start.conditions)


def _joined(names: tuple[str, ...]) -> str:
    return " > ".join(dict.fromkeys(names))
