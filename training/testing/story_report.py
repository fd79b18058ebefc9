"""The result of story tests: what failed where, as text, JSON and a stories file."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.project.types import Notice, Place


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step of a test story and what came of it; `predicted` is None where it was right.

    `reason` says who predicted it and why, `rules` which rules took part; `intent` is a
    message's.
    """

    kind: Literal["user", "action", "slot", "loop"]
    expected: str
    predicted: str | None = None
    reason: str = ""
    yaml: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class StoryResult:
    """A test story that was run."""

    name: str
    place: Place
    steps: tuple[StepResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every message and action was predicted right."""
        return all(step.predicted is None for step in self.steps)

    def diff(self) -> str:
        """The story with `-` before what was expected and `+` before what came instead."""
        place = f" ({self.place.path}:{self.place.line})" if self.place.path else ""
        return "\n".join([f"story {self.name!r}{place}", *_diff_lines(self.steps)])


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a kind (intents, actions, rules) the test stories touch."""

    tested: int
    total: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoryReport:
    """All test stories' results; `duplicates` are stories left out because others equal them."""

    stories: tuple[StoryResult, ...]
    duplicates: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    coverage: Mapping[str, Coverage] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[StoryResult, ...]:
        """The stories that failed."""
        return tuple(story for story in self.stories if not story.passed)

    @property
    def passed(self) -> int:
        """How many passed."""
        return len(self.stories) - len(self.failures)

    @property
    def failed(self) -> int:
        """How many failed."""
        return len(self.failures)

    @property
    def action_accuracy(self) -> float:
        """The share of actions that were predicted right, in [0, 1]; 1 if there is none."""
        actions = [s for story in self.stories for s in story.steps if s.kind == "action"]
        right = sum(step.predicted is None for step in actions)
        return right / len(actions) if actions else 1.0

    def to_json(self) -> dict[str, Any]:
        """`passed`, `failed`, `failures` and `coverage` as `agent test --json` prints them."""
        return {
            "passed": self.passed,
            "failed": self.failed,
            "failures": [_failure(story) for story in self.failures],
            "coverage": {kind: asdict(found) for kind, found in self.coverage.items()},
        }


def coverage_of(
    stories: Sequence[StoryResult],
    *,
    intents: Sequence[str],
    actions: Sequence[str],
    rules: Sequence[str],
) -> dict[str, Coverage]:
    """Which of the project's intents, actions and rules the stories touch, right or wrong."""
    steps = [step for story in stories for step in story.steps]
    touched: dict[str, Set[str | None]] = {
        "intents": {step.intent for step in steps},
        "actions": {step.expected for step in steps if step.kind == "action"},
        "rules": {rule for step in steps for rule in step.rules},
    }
    known = {"intents": intents, "actions": actions, "rules": rules}
    return {kind: _coverage(known[kind], touched[kind]) for kind in known}


def _coverage(known: Sequence[str], touched: Set[str | None]) -> Coverage:
    names = dict.fromkeys(known)
    missing = tuple(name for name in names if name not in touched)
    return Coverage(len(names) - len(missing), len(names), missing)


def write_failed_stories(report: StoryReport, path: Path) -> None:
    """Write the failed stories as a stories file, with what was predicted as comments."""
    if not report.failures:
        path.write_text("# None of the test stories failed.\n", encoding="utf-8")
        return
    lines = ['version: "3.1"', "stories:"]
    for story in report.failures:
        lines += [f"- story: {_quoted(f'{story.name} ({story.place.path})')}", "  steps:"]
        for step in story.steps:
            lines += [f"  {line}" for line in _with_comment(step)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def quoted(value: Any) -> str:
    """A value as YAML, on one line."""
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _with_comment(step: StepResult) -> Sequence[str]:
    if step.predicted is None or not step.yaml:
        return step.yaml
    said = " ".join(step.predicted.split())
    return [f"{step.yaml[0]}  # predicted: {said}", *step.yaml[1:]]


def _diff_lines(steps: Sequence[StepResult]) -> Iterator[str]:
    for step in steps:
        if step.predicted is None:
            yield f"    {step.kind}: {step.expected}"
        else:
            yield f"  - {step.kind}: {step.expected}"
            reason = f"   [{step.reason}]" if step.reason else ""
            yield f"  + {step.kind}: {step.predicted}{reason}"


def _failure(story: StoryResult) -> Mapping[str, Any]:
    wrong = [
        {"kind": s.kind, "expected": s.expected, "predicted": s.predicted, "reason": s.reason}
        for s in story.steps
        if s.predicted is not None
    ]
    place = {"file": story.place.path, "line": story.place.line}
    return {"story": story.name, **place, "wrong": wrong, "diff": story.diff()}
