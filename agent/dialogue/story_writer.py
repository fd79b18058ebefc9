"""A conversation as a story to train from, or as an end-to-end test story."""

import json
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from agent.dialogue.events import (
    ActionExecuted,
    ActiveLoop,
    Event,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from agent.dialogue.names import ACTION_LISTEN, ACTION_SESSION_START, REQUESTED_SLOT
from agent.dialogue.slots import domain_slots, is_featurized
from agent.dialogue.tracker import Tracker
from agent.errors import InputError
from agent.understanding.payload import EXTERNAL_PREFIX

OURS = ("Repair", "CorrectionMemory")
"""Policies whose actions no story tells: what they do goes beyond Rasa."""
_SILENT = (ACTION_LISTEN, ACTION_SESSION_START)


def story_yaml(
    name: str, tracker: Tracker, *, all_sessions: bool = False, to_train: bool = False
) -> str:
    """The latest session (or every one) of a conversation as YAML with `stories`.

    Args:
        name: what the story is called.
        tracker: the conversation.
        all_sessions: whether earlier sessions become stories, too.
        to_train: a story of intents and actions in place of an end-to-end test story.
    """
    return _dumped({"version": "3.1", "stories": stories_of(name, tracker, all_sessions, to_train)})


def stories_of(
    name: str, tracker: Tracker, all_sessions: bool = False, to_train: bool = False
) -> list[dict[str, Any]]:
    """The same as plain data; a session without a message gives none.

    A story to train from knows a form by its beginning and end, as Rasa's do; a test story
    has every message.
    """
    sessions = list(_sessions(tracker.events))
    if not all_sessions:
        sessions = [tracker.applied_events()] if to_train else sessions[-1:]
    told = [[e for e in events if _is_told(e)] for events in sessions]
    told = [events for events in told if any(isinstance(e, UserUttered) for e in events)]
    named = [f"{name}, story {n}" if len(told) > 1 else name for n in range(1, len(told) + 1)]
    return [
        {"story": title, "steps": list(_steps(events, tracker, to_train))}
        for title, events in zip(named, told, strict=True)
    ]


def add_to_file(path: Path, stories: Sequence[dict[str, Any]]) -> None:
    """Put stories at the end of a file; those of the same names are replaced.

    Raises:
        InputError: the file is no stories file, or it cannot be read or written.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    try:
        known = yaml.load(path.read_text("utf-8")) if path.exists() else None
        data = {"version": "3.1", "stories": []} if known is None else known
        if not isinstance(data, dict) or not isinstance(data.setdefault("stories", []), list):
            raise InputError("no stories file: it needs a list under `stories`", path=path)
        names = {story["story"] for story in stories}
        for i in reversed(range(len(data["stories"]))):
            if data["stories"][i].get("story") in names:
                del data["stories"][i]
        data["stories"].extend(stories)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_dumped(data), "utf-8")
    except MarkedYAMLError as error:
        raise InputError(f"not valid YAML: {error.problem}", path=path) from error
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", path=path) from error


def _dumped(data: Any) -> str:
    yaml, out = YAML(), StringIO()
    yaml.allow_unicode, yaml.width = True, 4096
    yaml.dump(data, out)
    return out.getvalue()


def _is_told(event: Event) -> bool:
    """Whether a story can tell it: its runner undoes nothing and knows none of our own actions."""
    return not (isinstance(event, ActionExecuted) and event.policy in OURS)


def _sessions(events: Sequence[Event]) -> Iterator[list[Event]]:
    current: list[Event] = []
    for event in events:
        if isinstance(event, SessionStarted) and current:
            yield current
            current = []
        current.append(event)
    yield current


def _steps(events: Sequence[Event], tracker: Tracker, to_train: bool) -> Iterator[dict[str, Any]]:
    known = domain_slots(tracker.domain)
    slots: list[dict[str, Any]] = []
    for event in events:
        if isinstance(event, SlotSet):
            # A story learns only from what policies see; a test also needs what forms ask for.
            counts = event.name in known and is_featurized(known[event.name])
            if counts or (not to_train and event.name == REQUESTED_SLOT):
                slots = [s for s in slots if event.name not in s] + [{event.name: event.value}]
            continue
        step = _step(event, to_train)
        if step is not None and slots:
            yield {"slot_was_set": slots}
            slots = []
        if step is not None:
            yield step
    if slots:
        yield {"slot_was_set": slots}


def _step(event: Event, to_train: bool) -> dict[str, Any] | None:
    if isinstance(event, UserUttered):
        return _user(event, to_train)
    if isinstance(event, ActiveLoop):
        return {"active_loop": event.name}
    if isinstance(event, ActionExecuted):
        if event.action_text:
            return {"bot": event.action_text}
        return None if event.name in _SILENT else {"action": event.name}
    return None


def _user(event: UserUttered, to_train: bool) -> dict[str, Any]:
    step: dict[str, Any] = {"intent": event.intent} if event.intent else {}
    text = event.text or ""
    # Nobody wrote what a program injects: the intent tells it.
    if text and (not to_train or not step) and not (step and text.startswith(EXTERNAL_PREFIX)):
        marked = text if text.startswith("/") else _marked(text, event.entities)
        step["user"] = LiteralScalarString(marked) if "\n" in marked else marked
    elif entities := [_entity(e) for e in event.entities]:
        step["entities"] = entities
    return step or {"user": ""}


def _marked(text: str, entities: Sequence[dict[str, Any]]) -> str:
    """The text with its entities marked as in training data; overlapping ones are left out."""
    last = len(text) + 1
    for entity in sorted(entities, key=lambda e: -int(e.get("start") or 0)):
        start, end = entity.get("start"), entity.get("end")
        if start is None or end is None or not start < end <= last:
            continue
        text = f"{text[:start]}[{text[start:end]}]{_mark(entity, text[start:end])}{text[end:]}"
        last = start
    return text


def _mark(entity: dict[str, Any], words: str) -> str:
    facts = {"entity": entity.get("entity")}
    facts |= {key: entity[key] for key in ("role", "group") if entity.get(key)}
    if entity.get("value") != words:
        facts["value"] = entity.get("value")
    if list(facts) == ["entity"]:
        return f"({facts['entity']})"
    return json.dumps(facts, ensure_ascii=False, default=str)


def _entity(entity: dict[str, Any]) -> dict[str, Any]:
    found = {str(entity.get("entity")): entity.get("value")}
    return found | {k: entity[k] for k in ("role", "group") if entity.get(k)}


__all__ = ["add_to_file", "stories_of", "story_yaml"]
