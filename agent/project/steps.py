"""One step of a story or rule."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent.project.findings import Source
from agent.project.markup import scan_markup
from agent.project.types import (
    ActionStep,
    BotStep,
    CheckpointStep,
    LoopStep,
    OrStep,
    SlotStep,
    Step,
    StepEntity,
    UserStep,
)
from agent.project.yaml_values import line_of, plain
from agent.understanding.payload import read_payload

_DEACTIVATE, _OLD_DEACTIVATE = "action_deactivate_loop", "action_deactivate_form"

STEP_KEYS = (
    "intent",
    "user",
    "or",
    "action",
    "bot",
    "checkpoint",
    "slot_was_set",
    "active_loop",
    "form",
)
_EXTRA_KEYS = {"entities", "metadata", "name"}


def read_steps(items: Any, source: Source, key: str, line: int) -> tuple[Step, ...]:
    """The steps of a story; what is wrong is reported with its line."""
    if not isinstance(items, list):
        source.error("must be a list of steps such as `- intent: …`", line, key)
        return ()
    steps: list[Step] = []
    for i, item in enumerate(items):
        steps += read_step(item, source, key, line_of(items, i, line))
    return tuple(steps)


def read_step(item: Any, source: Source, key: str, line: int) -> list[Step]:
    """The step or steps that one item stands for (several slots in one item are several)."""
    if item == "...":
        return [ActionStep("...", line)]
    if not isinstance(item, dict):
        source.error(
            f"a step must be a mapping such as `intent: …`, not {plain(item)!r}", line, key
        )
        return []
    kind = next((name for name in STEP_KEYS if name in item), None)
    if kind is None:
        if set(item) <= _EXTRA_KEYS and "metadata" in item:
            return []
        names = ", ".join(map(repr, item)) or "nothing"
        source.error(f"a step has {names}, but needs one of {', '.join(STEP_KEYS)}", line, key)
        return []
    _report_unknown(item, source, key, line)
    return _READERS[kind](item, source, f"{key}: {kind}", line_of(item, kind, line))


def _report_unknown(item: Mapping[str, Any], source: Source, key: str, line: int) -> None:
    for name in item:
        if name not in STEP_KEYS and name not in _EXTRA_KEYS:
            at = line_of(item, name, line)
            source.warning(f"the key {name!r} is unknown in a step and not read", at, key)


def _name(item: Mapping[str, Any], kind: str, source: Source, key: str, line: int) -> str | None:
    value = item[kind]
    if isinstance(value, str) and value.strip():
        return value.strip()
    hint = "is empty" if value in (None, "") else f"is {plain(value)!r}, not a name: use quotes"
    source.error(f"`{kind}` {hint}", line, key)
    return None


def _user(item: Mapping[str, Any], source: Source, key: str, line: int) -> list[Step]:
    intent = _name(item, "intent", source, key, line) if "intent" in item else None
    text = None
    entities: tuple[StepEntity, ...] = ()
    if intent is not None and "user" in item and not str(item["user"] or "").strip():
        message = "`user` is empty: the intent alone counts, as in Rasa"
        source.warning(message, line_of(item, "user", line), key)
    elif "user" in item:
        raw = _name(item, "user", source, key, line)
        if raw is not None:
            text, entities = marked_text(raw, source, key, line)
    beside: tuple[StepEntity, ...] = ()
    if "entities" in item:
        beside = _entities(item["entities"], source, key, line_of(item, "entities", line))
    if text is None:
        entities, beside = beside, ()
    elif "entities" in item:
        message = "`entities` beside `user` is not read, as in Rasa: mark them in the text"
        source.warning(message, line_of(item, "entities", line), key)
    if intent is None and text is None:
        return []
    return [replace(user_step(intent, entities, text, line), beside=beside)]


def user_step(
    name: str | None, entities: tuple[StepEntity, ...], text: str | None, line: int
) -> UserStep:
    """A user step of an intent that may be a whole retrieval intent (`faq/key`)."""
    full = (name or "").removeprefix("/")
    base, _, key = full.partition("/")
    return UserStep(base or None, entities, text, line, response=full if key else None)


def marked_text(
    raw: str, source: Source, key: str, line: int
) -> tuple[str, tuple[StepEntity, ...]]:
    """What a user said, without its markup, and the entities that are marked in it."""
    payload = read_payload(raw) if raw.startswith("/") else None
    if payload is not None:
        return raw, tuple(StepEntity(e.label, e.value) for e in payload.entities)
    marked = scan_markup(raw)
    for problem in marked.problems:
        source.error(problem, line, key)
    for doubt in marked.doubts:
        source.warning(doubt, line, key)
    return marked.text, tuple(
        StepEntity(e.label, e.value, e.role, e.group, e.start, e.end) for e in marked.entities
    )


def _entities(items: Any, source: Source, key: str, line: int) -> tuple[StepEntity, ...]:
    if items is None:
        return ()
    if isinstance(items, dict):
        items = [{name: value} for name, value in items.items()]
    if not isinstance(items, list):
        source.error("`entities` must be a list of `- name: value`", line, key)
        return ()
    entities = []
    for i, item in enumerate(items):
        at = line_of(items, i, line)
        if isinstance(item, str):
            entities.append(StepEntity(str(item)))
            continue
        names = [n for n in item if n not in ("role", "group")] if isinstance(item, dict) else []
        if len(names) != 1:
            source.error(f"an entity must be `name: value`, not {plain(item)!r}", at, key)
            continue
        role, group = (None if item.get(k) is None else str(item[k]) for k in ("role", "group"))
        entities.append(StepEntity(names[0], plain(item[names[0]]), role, group))
    return tuple(entities)


def _or(item: Mapping[str, Any], source: Source, key: str, line: int) -> list[Step]:
    items = item["or"]
    if not isinstance(items, list) or not items:
        source.error("`or` must be a list of steps", line, key)
        return []
    alternatives: list[UserStep | SlotStep] = []
    for i, one in enumerate(items):
        for step in read_step(one, source, key, line_of(items, i, line)):
            if isinstance(step, UserStep | SlotStep):
                alternatives.append(step)
            else:
                source.error(
                    "`or` may hold `intent`, `user` and `slot_was_set` only", step.line, key
                )
    return [OrStep(tuple(alternatives), line)] if alternatives else []


def _action(item: Mapping[str, Any], source: Source, key: str, line: int) -> list[Step]:
    name = _name(item, "action", source, key, line)
    if name is None:
        return []
    if name == "form" and "name" in item:  # the 1.x event `form{"name": …}`
        return [LoopStep(_loop_name(item["name"]), line)]
    return [action_step(name, source, line)]


def action_step(name: str, source: Source, line: int) -> ActionStep:
    """An action by its name of today."""
    if name != _OLD_DEACTIVATE:
        return ActionStep(name, line)
    source.info_once(f"2.x layout: `{name}` is read as `{_DEACTIVATE}`", line)
    return ActionStep(_DEACTIVATE, line)


def _bot(item: Mapping[str, Any], source: Source, key: str, line: int) -> list[Step]:
    text = _name(item, "bot", source, key, line)
    return [] if text is None else [BotStep(text, line)]


def _loop_name(value: Any) -> str | None:
    return None if value in (None, "null", "None", "") else str(value)


def _loop(item: Mapping[str, Any], source: Source, key: str, line: int) -> list[Step]:
    kind = "active_loop" if "active_loop" in item else "form"
    value = item[kind]
    if value is not None and not isinstance(value, str):
        source.error(f"`{kind}` is a name or null, not {plain(value)!r}", line, key)
        return []
    if kind == "form":
        source.info_once("2.x layout: `form:` steps are read as `active_loop:`", line)
    return [LoopStep(_loop_name(value), line)]


def _slots(item: Mapping[str, Any], source: Source, key: str, line: int) -> list[Step]:
    return list(slot_steps(item["slot_was_set"], source, key, line))


def slot_steps(value: Any, source: Source, key: str, line: int) -> list[SlotStep]:
    """The slots of a `slot_was_set`: names, or names with values."""
    if isinstance(value, dict):
        value = [{name: one} for name, one in value.items()]
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        source.error("`slot_was_set` must be a list of `- slot: value`", line, key)
        return []
    steps = []
    for i, one in enumerate(value):
        at = line_of(value, i, line)
        if isinstance(one, str):
            steps.append(SlotStep(str(one), None, False, at))
        elif isinstance(one, dict) and one:
            steps += [SlotStep(str(n), plain(v), True, line_of(one, n, at)) for n, v in one.items()]
        else:
            source.error(f"a slot must be `name: value`, not {plain(one)!r}", at, key)
    return steps


def _checkpoint(item: Mapping[str, Any], source: Source, key: str, line: int) -> list[Step]:
    name = _name(item, "checkpoint", source, key, line)
    if name is None:
        return []
    slots: list[SlotStep] = []
    if item.get("slot_was_set") is not None:
        slots = slot_steps(item["slot_was_set"], source, key, line_of(item, "slot_was_set", line))
    conditions = tuple((step.slot, step.value) for step in slots if step.given)
    if len(conditions) < len(slots):
        source.error("a checkpoint's slots need values (`- slot: value`)", line, key)
    return [CheckpointStep(name, conditions, line)]


_Reader = Callable[[Mapping[str, Any], Source, str, int], list[Step]]
_READERS: dict[str, _Reader] = {
    "intent": _user,
    "user": _user,
    "or": _or,
    "action": _action,
    "bot": _bot,
    "checkpoint": _checkpoint,
    "slot_was_set": _slots,
    "active_loop": _loop,
    "form": _loop,
}
