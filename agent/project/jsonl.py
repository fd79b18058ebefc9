"""Examples as JSON lines: `{"text", "intent", "entities", "labels"}`."""

import json
from collections.abc import Mapping
from typing import Any

from agent.project.findings import Source
from agent.project.nlu_reader import NluBuilder
from agent.project.types import EntityAnnotation, Example
from agent.project.yaml_file import read_text

_KEYS = {"text", "intent", "label", "entities", "labels", "id", "source", "weight"}


def read_jsonl(source: Source, into: NluBuilder) -> None:
    """Add a file's examples; each line that is wrong is reported."""
    text = read_text(source)
    for number, line in enumerate((text or "").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except ValueError as error:
            source.error(f"is no JSON object: {error}", number)
            continue
        example = _example(data, source, number)
        if example is not None:
            into.examples.append(example)


def _example(data: Any, source: Source, line: int) -> Example | None:
    if not isinstance(data, dict):
        source.error(f"must be a JSON object, not {data!r}", line)
        return None
    text = data.get("text")
    if not isinstance(text, str):
        source.error(f"must be the message as text, not {text!r}", line, "text")
        return None
    if not text.strip():
        source.warning("the text is empty: the example is left out", line, "text")
        return None
    for key in data:
        if key not in _KEYS:
            source.warning("the key is unknown and not read", 0, key)
    intent = data.get("intent", data.get("label"))
    if intent is not None and (not isinstance(intent, str) or not intent):
        source.error(f"is a name or null, not {intent!r}", line, "intent")
        return None
    base, _, rest = (intent or "").partition("/")
    return Example(
        text=text,
        intent=base or None,
        entities=read_entities(data.get("entities"), text, source, line),
        response=intent if rest else None,
        labels=_labels(data.get("labels"), source, line),
        place=source.place(line),
    )


def _labels(value: Any, source: Source, line: int) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        source.error(f"must map each head to one label, not {value!r}", line, "labels")
        return {}
    return value


def read_entities(
    value: Any, text: str, source: Source, line: int, key: str = "entities"
) -> tuple[EntityAnnotation, ...]:
    """The spans of a text given as `{"start", "end", "label", "value"}`; wrong ones reported."""
    if value is None:
        return ()
    if not isinstance(value, list):
        source.error(f"the entities must be a list, not {value!r}", line, key)
        return ()
    read = (_entity(one, text, source, line, f"{key}[{i}]") for i, one in enumerate(value))
    return tuple(entity for entity in read if entity is not None)


def _entity(data: Any, text: str, source: Source, line: int, key: str) -> EntityAnnotation | None:
    if not isinstance(data, dict):
        source.error(f"must be an object with start, end and label, not {data!r}", line, key)
        return None
    start, end = data.get("start"), data.get("end")
    label = data.get("label", data.get("entity"))
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= len(text):
        message = f"start {start!r} and end {end!r} are no span of the {len(text)} characters"
        source.error(message, line, key)
        return None
    if not isinstance(label, str) or not label:
        source.error(f"needs a label, not {label!r}", line, key)
        return None
    role, group = (None if data.get(k) is None else str(data[k]) for k in ("role", "group"))
    return EntityAnnotation(start, end, label, data.get("value", text[start:end]), role, group)
