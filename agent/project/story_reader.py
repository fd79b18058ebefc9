"""The `stories` and `rules` sections of Rasa's YAML."""

from typing import Any

from agent.project.findings import Source
from agent.project.steps import read_step, read_steps
from agent.project.types import LoopStep, Rule, SlotStep, Story
from agent.project.yaml_values import line_of, plain

_STORY_KEYS = {"story", "steps", "metadata"}
_RULE_KEYS = {
    "rule",
    "steps",
    "metadata",
    "condition",
    "conversation_start",
    "wait_for_user_input",
}


def read_stories(items: Any, source: Source, line: int = 0) -> tuple[Story, ...]:
    """The list under `stories:`; what is wrong is reported with its line."""
    stories = []
    for item, name, at in _named(items, "story", "stories", source, line):
        _report_unknown(item, _STORY_KEYS, f"story {name}", source)
        steps = _steps(item, f"story {name}", source, at)
        if steps:
            stories.append(Story(name, steps, source.place(at)))
    return tuple(stories)


def read_rules(items: Any, source: Source, line: int = 0) -> tuple[Rule, ...]:
    """The list under `rules:`; what is wrong is reported with its line."""
    rules = []
    for item, name, at in _named(items, "rule", "rules", source, line):
        key = f"rule {name}"
        _report_unknown(item, _RULE_KEYS, key, source)
        steps = _steps(item, key, source, at)
        rule = Rule(
            name=name,
            steps=steps,
            conditions=_conditions(item, key, source, at),
            conversation_start=_flag(item, "conversation_start", False, key, source),
            wait_for_user_input=_flag(item, "wait_for_user_input", True, key, source),
            place=source.place(at),
        )
        if steps:
            rules.append(rule)
    return tuple(rules)


def _named(
    items: Any, kind: str, section: str, source: Source, line: int
) -> list[tuple[Any, str, int]]:
    """The (item, name, line) of each well-formed item of a section."""
    if items is None:
        return []
    if not isinstance(items, list):
        source.error(f"must be a list of `- {kind}: …` items", line, section)
        return []
    named = []
    for i, item in enumerate(items):
        at = line_of(items, i, line)
        name = item.get(kind) if isinstance(item, dict) else None
        if isinstance(name, bool | int | float):
            name = str(name)
        if not isinstance(name, str) or not name.strip():
            source.error(f"needs `{kind}: a name`", at, f"{section}[{i}]")
            continue
        named.append((item, name.strip(), at))
    return named


def _steps(item: Any, key: str, source: Source, line: int) -> Any:
    steps = item.get("steps")
    at = line_of(item, "steps", line)
    if steps is None or steps == []:
        source.warning("has no steps and is left out", at, key)
        return ()
    return read_steps(steps, source, key, at)


def _report_unknown(item: Any, known: set[str], key: str, source: Source) -> None:
    for name in item:
        if name not in known:
            source.warning(f"the key {name!r} is unknown and not read", line_of(item, name), key)


def _flag(item: Any, name: str, default: bool, key: str, source: Source) -> bool:
    value = item.get(name, default)
    if isinstance(value, bool):
        return value
    source.error(f"`{name}` is true or false, not {value!r}", line_of(item, name), key)
    return default


def _conditions(item: Any, key: str, source: Source, line: int) -> tuple[LoopStep | SlotStep, ...]:
    items = item.get("condition")
    at = line_of(item, "condition", line)
    if items is None:
        return ()
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list):
        source.error("`condition` must be a list of active_loop and slot_was_set", at, key)
        return ()
    conditions: list[LoopStep | SlotStep] = []
    for i, one in enumerate(items):
        here = line_of(items, i, at)
        for step in read_step(one, source, f"{key}: condition", here):
            if isinstance(step, LoopStep | SlotStep):
                conditions.append(step)
            else:
                source.error(
                    f"a condition is active_loop or slot_was_set, not {plain(one)!r}", here, key
                )
    return tuple(conditions)
