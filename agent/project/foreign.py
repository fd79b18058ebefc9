"""Training data in JSON: Rasa's own format is read, those of other makers are named."""

import json
from collections.abc import Mapping
from typing import Any

from agent.project.findings import Source
from agent.project.nlu_reader import NluBuilder
from agent.project.types import EntityAnnotation, Example
from agent.project.yaml_file import read_text

# What gives a format away: a key of the top level.
_OTHERS = {
    "luis_schema_version": "LUIS",
    "supportedLanguages": "Dialogflow",
    "isEnum": "Dialogflow",
    "utterances": "Wit",
}


def read_json(source: Source, into: NluBuilder) -> None:
    """Add the data of Rasa's `rasa_nlu_data` JSON; another maker's format is an error.

    JSON that is no training data is left alone, as Rasa does.
    """
    text = read_text(source)
    try:
        data = json.loads(text or "null")
    except ValueError as error:
        source.warning(f"is no JSON and is not read: {error}")
        return
    if not isinstance(data, dict):
        return
    content = data.get("rasa_nlu_data")
    if isinstance(content, dict):
        _read_rasa(content, source, into)
        return
    for key, maker in _OTHERS.items():
        if key in data:
            source.error(f"is training data of {maker}, which is not read: convert it to nlu.yml")
            return


def _read_rasa(content: Mapping[str, Any], source: Source, into: NluBuilder) -> None:
    for section in ("common_examples", "intent_examples", "entity_examples"):
        for i, item in enumerate(_objects(content, section, source)):
            _add_example(item, f"{section}[{i}]", source, into)
    for item in _objects(content, "entity_synonyms", source):
        for spelling in item.get("synonyms") or ():
            into.add_synonym(str(spelling), item.get("value"), source, 0)
    for item in _objects(content, "regex_features", source):
        into.regexes.setdefault(str(item.get("name")), []).append(str(item.get("pattern")))
    for item in _objects(content, "lookup_tables", source):
        elements = item.get("elements")
        if isinstance(elements, list):
            into.lookups.setdefault(str(item.get("name")), []).extend(map(str, elements))
        else:
            source.warning("a lookup table in another file is not read", key="lookup_tables")


def _objects(content: Mapping[str, Any], section: str, source: Source) -> list[dict[str, Any]]:
    items = content.get(section) or []
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    source.error("must be a list of objects", key=section)
    return []


def _add_example(item: dict[str, Any], key: str, source: Source, into: NluBuilder) -> None:
    text, intent = item.get("text"), item.get("intent")
    if not isinstance(text, str) or not text.strip():
        source.error(f"needs a text, not {text!r}", key=key)
        return
    entities = []
    for entity in item.get("entities") or ():
        start, end, label = (entity.get(name) for name in ("start", "end", "entity"))
        if not isinstance(start, int) or not isinstance(end, int) or not start < end <= len(text):
            message = f"start {start!r} and end {end!r} are no span of {text!r}"
            source.error(message, key=f"{key}.entities")
            continue
        value = entity.get("value", text[start:end])
        if str(value) != text[start:end]:
            into.add_synonym(text[start:end], value, source, 0)
        role, group = entity.get("role"), entity.get("group")
        entities.append(EntityAnnotation(start, end, str(label), value, role, group))
    base, _, rest = (intent or "").partition("/")
    response = intent if rest else None
    into.examples.append(
        Example(text, base or None, tuple(entities), response, place=source.place())
    )
