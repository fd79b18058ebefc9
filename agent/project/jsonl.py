"""Examples as JSON lines: `{"text", "intent", "entities", "labels"}`."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from agent.project.findings import Source
from agent.project.nlu_reader import NluBuilder
from agent.project.types import EntityAnnotation, Example
from agent.project.yaml_file import read_text

_KEYS = {"text", "intent", "label", "entities", "labels", "id", "source", "weight", "description"}


def read_jsonl(source: Source, into: NluBuilder) -> None:
    """Add a file's examples; each line that is wrong is reported."""
    text = read_text(source)
    first_line: dict[str, int] = {}
    for number, line in enumerate((text or "").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except ValueError as error:
            source.error(f"is no JSON object: {error}", number)
            continue
        for key in data if isinstance(data, dict) else ():
            first_line.setdefault(key, number)
        example = _example(data, source, number, into)
        if example is not None:
            into.examples.append(example)
    for key in sorted(first_line.keys() - _KEYS):
        source.warning(f"this key is not read{_meant(key)}", first_line[key], key)


def _meant(key: str) -> str:
    """The known key that an unknown one looks like, as a question."""
    found = get_close_matches(key, _KEYS, n=1)
    return f"; is {found[0]!r} meant?" if found else ""


def _describe(data: Mapping[str, Any], source: Source, line: int, into: NluBuilder) -> None:
    """Read an intent that is declared by a description instead of an example."""
    intent, description = data.get("intent"), data["description"]
    if not isinstance(intent, str) or not intent:
        source.error(f"a description needs the name of its intent, not {intent!r}", line, "intent")
    elif not isinstance(description, str) or not description.strip():
        message = f"must say in words what the intent is, not {description!r}"
        source.error(message, line, "description")
    else:
        into.intent_metadata[intent] = {
            **into.intent_metadata.get(intent, {}),
            "description": description,
        }


def _example(data: Any, source: Source, line: int, into: NluBuilder) -> Example | None:
    if not isinstance(data, dict):
        source.error(f"must be a JSON object, not {data!r}", line)
        return None
    text = data.get("text")
    if text is None and "description" in data:
        _describe(data, source, line, into)
        return None
    if not isinstance(text, str):
        source.error(f"must be the message as text, not {text!r}", line, "text")
        return None
    if not text.strip():
        source.warning("the text is empty: the example is left out", line, "text")
        return None
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
