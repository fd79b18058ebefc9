"""Training data in JSON: Rasa's own format is read, those of other makers are named."""

import json
from collections.abc import Mapping
from typing import Any

from agent.project.findings import Source
from agent.project.jsonl import read_entities
from agent.project.nlu_reader import NluBuilder
from agent.project.types import Example
from agent.project.yaml_file import read_text

_OURS = "rasa_nlu_data"
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
    text = read_text(source) or ""
    if not any(f'"{key}"' in text for key in (*_OTHERS, _OURS)):
        return
    try:
        data = json.loads(text)
    except ValueError as error:
        source.warning(f"is no JSON and is not read: {error}")
        return
    if not isinstance(data, dict):
        return
    content = data.get(_OURS)
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
        spellings = item.get("synonyms")
        for spelling in spellings if isinstance(spellings, list) else ():
            into.add_synonym(str(spelling), item.get("value"), source, 0)
    for item in _objects(content, "regex_features", source):
        into.regexes.setdefault(str(item.get("name")), []).append(str(item.get("pattern")))
    for item in _objects(content, "lookup_tables", source):
        elements = item.get("elements")
        if isinstance(elements, list):
            into.lookups.setdefault(str(item.get("name")), []).extend(map(str, elements))
        else:
            into.add_lookup_file(str(elements), str(item.get("name")), source, 0)


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
    if intent is not None and not isinstance(intent, str):
        source.error(f"the intent is a name or null, not {intent!r}", key=key)
        return
    entities = read_entities(item.get("entities"), text, source, 0, key)
    for entity in entities:
        word = text[entity.start : entity.end]
        if str(entity.value) != word:
            into.add_synonym(word, entity.value, source, 0)
    base, _, rest = (intent or "").partition("/")
    response = intent if rest else None
    into.examples.append(Example(text, base or None, entities, response, place=source.place()))
