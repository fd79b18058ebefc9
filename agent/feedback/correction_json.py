"""Corrections as plain JSON and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from agent.feedback.correction import KINDS, STATES, Change, Correction, Prediction
from agent.project.types import EntityAnnotation
from knowledge.errors import InputError

FORMAT = 1


def to_dict(correction: Correction) -> dict[str, Any]:
    """The correction as plain JSON values with a format version; times in ISO 8601, UTC."""
    predicted = correction.predicted
    return {
        "format": FORMAT,
        "id": correction.id,
        "turn_id": correction.turn_id,
        "conversation_id": correction.conversation_id,
        "text": correction.text,
        "kind": correction.kind,
        "predicted": {
            "intent": predicted.intent,
            "confidence": predicted.confidence,
            "entities": [entity_to_dict(e) for e in predicted.entities],
            "model_version": predicted.model_version,
        },
        "intent": correction.intent,
        "entities": None
        if correction.entities is None
        else [entity_to_dict(e) for e in correction.entities],
        "answer": correction.answer,
        **({"labels": dict(correction.labels)} if correction.labels else {}),
        "liked": correction.liked,
        "reason": correction.reason,
        "source": correction.source,
        "trust": correction.trust,
        "author": correction.author,
        "state": correction.state,
        "reviewer": correction.reviewer,
        "drawn": correction.drawn,
        "created_at": correction.created_at.isoformat(),
        "history": [
            {"state": c.state, "by": c.by, "at": c.at.isoformat(), "reason": c.reason}
            for c in correction.history
        ],
    }


def from_dict(data: Mapping[str, Any]) -> Correction:
    """The correction that `to_dict` wrote.

    Raises:
        InputError: a field is missing or of the wrong kind, or the format is newer than ours.
    """
    version = data.get("format", FORMAT)
    if not isinstance(version, int) or version > FORMAT:
        raise InputError(
            f"a correction of format {version!r}: this version reads up to {FORMAT}; "
            "update intent-agent"
        )
    try:
        return _from_dict(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"not a correction: {error!r} in {str(data)[:120]}") from error


def _from_dict(data: Mapping[str, Any]) -> Correction:
    predicted = data.get("predicted") or {}
    entities = data.get("entities")
    return Correction(
        id=str(data["id"]),
        turn_id=data.get("turn_id"),
        conversation_id=data.get("conversation_id"),
        text=str(data["text"]),
        kind=_one_of(data["kind"], KINDS),
        predicted=Prediction(
            predicted.get("intent"),
            predicted.get("confidence"),
            parse_entities(predicted.get("entities") or []),
            predicted.get("model_version"),
        ),
        intent=data.get("intent"),
        entities=None if entities is None else parse_entities(entities),
        answer=data.get("answer"),
        labels={str(k): str(v) for k, v in (data.get("labels") or {}).items()},
        liked=data.get("liked"),
        reason=str(data.get("reason") or ""),
        source=_one_of(data.get("source", "user"), ("user", "ops")),
        trust=_one_of(data.get("trust", "anonymous"), ("reviewer", "signed_in", "anonymous")),
        author=str(data["author"]),
        state=_one_of(data.get("state", "pending"), STATES),
        reviewer=data.get("reviewer"),
        drawn=bool(data.get("drawn", False)),
        created_at=_time(data["created_at"]),
        history=tuple(
            Change(_one_of(c["state"], STATES), str(c["by"]), _time(c["at"]), str(c["reason"]))
            for c in data.get("history") or ()
        ),
    )


def entity_to_dict(entity: EntityAnnotation) -> dict[str, Any]:
    """An entity as in our JSONL: start, end, label, value, and role and group if it has them."""
    data = {
        "start": entity.start,
        "end": entity.end,
        "label": entity.label,
        "value": entity.value,
        "role": entity.role,
        "group": entity.group,
    }
    return {k: v for k, v in data.items() if v is not None or k == "value"}


def parse_entities(items: Any) -> tuple[EntityAnnotation, ...]:
    """Entities from JSON; `entity` is understood as `label`, as Rasa writes it.

    Raises:
        InputError: not a list of objects with start, end and label.
    """
    try:
        return tuple(
            EntityAnnotation(
                start=_whole(item["start"]),
                end=_whole(item["end"]),
                label=str(item["label"] if "label" in item else item["entity"]),
                value=item.get("value"),
                role=_name(item.get("role")),
                group=_name(item.get("group")),
            )
            for item in items
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            'entities must be a list like [{"start": 0, "end": 5, "label": "city", '
            f'"value": "Paris"}}], got {str(items)[:120]!r}'
        ) from error


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _name(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is no name")
    return value or None


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"{value!r} is none of {known}")
    return cast(Any, value)


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
