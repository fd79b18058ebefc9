"""Corrections in the formats of labelling tools: Label Studio and Argilla."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from agent.errors import InputError
from agent.feedback.correction import Correction
from agent.feedback.correction_json import entity_to_dict, parse_entities
from agent.project.types import EntityAnnotation

INTENT, ENTITIES, TEXT = "intent", "entities", "text"
Labelled = tuple[str, str | None, tuple[EntityAnnotation, ...] | None]
"""A text with its intent and entities, None where it says nothing."""


def label_studio(corrections: Sequence[Correction]) -> str:
    """Tasks of Label Studio with one annotation each; the names are `intent`, `entities`, `text`.

    The labelling interface needs `<Choices name="intent" toName="text">` and
    `<Labels name="entities" toName="text">` over `<Text name="text" value="$text"/>`.
    Source: Label Studio's guide, "Task format".
    """
    return json.dumps([_task(one) for one in corrections], ensure_ascii=False, indent=1) + "\n"


def _task(correction: Correction) -> dict[str, Any]:
    result: list[dict[str, Any]] = []
    if correction.final_intent is not None:
        value: dict[str, Any] = {"choices": [correction.final_intent]}
        result.append({**_named(INTENT), "type": "choices", "value": value})
    for entity in correction.final_entities:
        words = correction.text[entity.start : entity.end]
        value = {"start": entity.start, "end": entity.end, "text": words}
        value["labels"] = [entity.label]
        result.append({**_named(ENTITIES), "type": "labels", "value": value})
    about: dict[str, Any] = {"correction": correction.id, "turn": correction.turn_id}
    about[ENTITIES] = [entity_to_dict(entity) for entity in correction.final_entities]
    return {
        "data": {"text": correction.text, "meta": about},
        "annotations": [{"result": result, "was_cancelled": False}],
    }


def _named(name: str) -> dict[str, str]:
    return {"from_name": name, "to_name": TEXT}


def read_label_studio(tasks: Sequence[Any]) -> Iterator[Labelled]:
    """Texts with the labels of their latest annotation; tasks without one are left out.

    Raises:
        InputError: a task has no text, or a label is not where it belongs.
    """
    for number, task in enumerate(tasks, start=1):
        try:
            text = str(task["data"]["text"])
            done = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
            if done:
                ours = (task["data"].get("meta") or {}).get(ENTITIES)
                yield _annotated(text, done[-1]["result"], ours)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise InputError(f"task {number} is none of Label Studio's: {error!r}") from error


def _annotated(text: str, result: Sequence[Mapping[str, Any]], ours: Any) -> Labelled:
    intent, spans = None, []
    for part in result:
        value = part["value"]
        if part["type"] == "choices":
            intent = str(value["choices"][0])
        elif part["type"] == "labels":
            label = value["labels"][0]
            spans.append({"start": value["start"], "end": value["end"], "label": label})
    return text, intent, _valued(spans, ours) if spans else None


def _valued(spans: Any, ours: Any) -> tuple[EntityAnnotation, ...]:
    """Spans with the values, roles and groups that we had told of them: tools keep only labels."""
    known = {(one.start, one.end, one.label): one for one in parse_entities(ours or ())}
    return tuple(known.get((e.start, e.end, e.label), e) for e in parse_entities(spans))


def argilla(corrections: Sequence[Correction]) -> str:
    """Records as Argilla 2 writes them: a field `text`, a label and a span question.

    The dataset needs a `TextField("text")`, a `LabelQuestion("intent")` and a
    `SpanQuestion("entities", field="text")`.
    """
    return json.dumps([_record(one) for one in corrections], ensure_ascii=False, indent=1) + "\n"


def _record(correction: Correction) -> dict[str, Any]:
    user = str(uuid5(NAMESPACE_URL, f"intent-agent:{correction.reviewer or correction.author}"))
    responses: dict[str, Any] = {}
    if correction.final_intent is not None:
        responses[INTENT] = [{"value": correction.final_intent, "user_id": user}]
    spans = [entity_to_dict(e) for e in correction.final_entities]
    if spans:
        value = [{key: span[key] for key in ("start", "end", "label")} for span in spans]
        responses[ENTITIES] = [{"value": value, "user_id": user}]
    suggestions: dict[str, Any] = {}
    if correction.predicted.intent is not None:
        predicted = {"value": correction.predicted.intent, "score": correction.predicted.confidence}
        suggestions[INTENT] = {**predicted, "agent": correction.predicted.model_version}
    return {
        "id": correction.id,
        "fields": {"text": correction.text},
        # Metadata of Argilla's holds plain values only.
        "metadata": {"turn": correction.turn_id, ENTITIES: json.dumps(spans, ensure_ascii=False)},
        "suggestions": suggestions,
        "responses": responses,
        "vectors": {},
    }


def read_argilla(records: Sequence[Any]) -> Iterator[Labelled]:
    """Texts with the latest response to each question; records without one are left out.

    Raises:
        InputError: a record has no text, or a response is of another shape.
    """
    for number, record in enumerate(records, start=1):
        try:
            responses = record.get("responses") or {}
            intents, spans = responses.get(INTENT) or (), responses.get(ENTITIES) or ()
            if not intents and not spans:
                continue
            intent = str(intents[-1]["value"]) if intents else None
            ours = json.loads((record.get("metadata") or {}).get(ENTITIES) or "[]")
            entities = _valued(spans[-1]["value"], ours) if spans else None
            yield str(record["fields"]["text"]), intent, entities
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(f"record {number} is none of Argilla's: {error!r}") from error
