"""Stories over checkpoints: every path through the blocks, as scripts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.dialogue.events import Event
from agent.dialogue.scripts import (
    Block,
    Script,
    block_events,
    first_unpredictable,
    rule_scripts,
    story_blocks,
)
from agent.dialogue.tracker import Tracker
from agent.project.types import CheckpointStep, Domain, Notice, Project, Rule, Story

MAX_SCRIPTS = 20_000
"""More paths than this through the checkpoints of a project are left out, with a notice."""


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
    scripts = []
    for script in walker.scripts():
        scripts.append(script)
        if len(scripts) >= MAX_SCRIPTS:
            message = f"the stories have more than {MAX_SCRIPTS} ways through their checkpoints"
            notice = Notice(f"{message} and `or` steps; the rest is left out")
            return tuple(scripts), (*walker.notices(), notice)
    return tuple(scripts), walker.notices()


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

    def scripts(self) -> Iterator[Script]:
        """Every finished walk."""
        for i, block in enumerate(self._blocks):
            if not block.starts:
                yield from self._walk(i, _Path((), Tracker("", self._domain), False, None))

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

    def _walk(self, index: int, path: _Path) -> Iterator[Script]:
        block = self._blocks[index]
        events = block_events(block, self._domain)
        tracker = path.tracker.copy()
        tracker.extend(events)
        first = path.first_action or (None if path.names else first_unpredictable(block, events))
        here = _Path((*path.names, block.name), tracker, path.looped, first)
        followers = self._by_start.get(block.end, []) if block.end else []
        if not followers:
            yield Script(_joined(here.names), tuple(tracker.events), False, first, block.place)
        for follower in followers:
            yield from self._follow(index, follower, here)

    def _follow(self, index: int, follower: int, here: _Path) -> Iterator[Script]:
        again = (index, follower) in self._back_edges
        if again and here.looped:
            return
        start = next(s for s in self._blocks[follower].starts if s.name == self._blocks[index].end)
        if _holds(start, here.tracker):
            looped = here.looped or again
            onward = _Path(here.names, here.tracker, looped, here.first_action)
            yield from self._walk(follower, onward)

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
