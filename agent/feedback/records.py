"""A turn's record: masked for the log, and read again for a correction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.feedback.correction import Correction, Prediction, check
from agent.feedback.correction_json import parse_entities
from agent.feedback.echoes import Echoes, changed, texts_in
from agent.feedback.masking import Masked, mask, mask_value
from agent.feedback.names import NO_NAMES, NameLabels, heard_names, read_spans, told_names
from knowledge.errors import InputError

# Ids, times and numbers name things; what is quoted from documents is no user's word.
_KEPT = frozenset(
    {
        "id",
        "turn_id",
        "conversation_id",
        "model_version",
        "received_at",
        "extractor",
        "passages",
        "sources",
        "prompts",
        "decisions",
        "stages_ms",
    }
)
# What the network says of a message names the project's own intents (a payload names anything).
_NAMES = ("intent", "intent_ranking", "responses", "neighbours")


def mask_record(
    record: Mapping[str, Any],
    told: Iterable[str] = (),
    *,
    labels: NameLabels = NO_NAMES,
    names: Iterable[str] = (),
) -> dict[str, Any]:
    """A turn's record without personal data, as the turn log keeps it.

    Entities' offsets are moved with the text. The message gets `masked`, a list of
    `[start, end, label]` of the original, so that offsets in the original can be moved later.
    Replies are kept without what they repeat of the personal data in the message, in
    themselves or in `told` and `names`, what else is known of the person. Masking a record
    again changes nothing.

    Args:
        record: a turn as `turn_record` writes it.
        told: texts of the conversation.
        labels: the entities that are names of people.
        names: names that were heard before.
    """
    heard = record.get("understanding") or {}
    text = _text(record)
    message = _Message(text, mask(text, heard_names({**heard, "text": text}, labels)), labels)
    masked = {k: v if k in _KEPT else message.without(v) for k, v in _wordy(record).items()}
    if isinstance(rest := masked.get("understanding"), dict):
        masked["understanding"] = {**record["understanding"], **rest}
    if message.found.spans and isinstance(masked.get("message"), dict):
        masked["message"]["masked"] = [[s.start, s.end, s.label] for s in message.found.spans]
    if replies := record.get("replies"):
        said = (text, (record.get("message") or {}).get("metadata"), replies)
        known = (*names, *told_names({**heard, "text": text}, labels))
        echoes = Echoes.of((*told, *texts_in(said)), known)
        masked["replies"] = changed(masked["replies"], echoes.hide, _KEPT)
    return masked


def _wordy(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record without those lists of names that cannot hold a user's words."""
    heard = record.get("understanding")
    if not isinstance(heard, Mapping) or heard.get("source") == "payload":
        return record
    return {**record, "understanding": {k: v for k, v in heard.items() if k not in _NAMES}}


@dataclass(frozen=True, slots=True)
class _Message:
    """A record's message, masked, and which entities are names: what its parts are masked by."""

    text: str
    found: Masked
    names: NameLabels

    def without(self, value: Any) -> Any:
        """A part of the record without personal data."""
        if isinstance(value, str):
            return self.found.text if value == self.text else mask_value(value)
        if isinstance(value, Mapping):
            part = {k: v if k in _KEPT else self.without(v) for k, v in value.items()}
            if isinstance(value.get("entities"), list):
                part["entities"] = [self._entity(e, value) for e in value["entities"]]
            return part
        if isinstance(value, list | tuple):
            return [self.without(inner) for inner in value]
        return mask_value(value)

    def _entity(self, entity: Mapping[str, Any], parsed: Mapping[str, Any]) -> dict[str, Any]:
        """An entity of the message, or of another text that was `parsed`."""
        text = parsed.get("text", self.text)
        found = self.found if text == self.text else mask(str(text))
        moved = {key: mask_value(value) for key, value in entity.items()}
        if not isinstance(entity.get("start"), int) or not isinstance(entity.get("end"), int):
            return moved
        start, end = found.locate(entity["start"], entity["end"])
        moved.update(start=start, end=end)
        if parsed.get("source") == "payload":
            if str(entity.get("entity")).casefold() in self.names:
                moved["value"] = "<NAME>"
        elif found.touches(entity["start"], entity["end"]):
            moved["value"] = found.text[start:end]
            if "text" in moved:
                moved["text"] = found.text[start:end]
        return moved


def _text(record: Mapping[str, Any]) -> str:
    return str((record.get("message") or {}).get("text") or "")


def logged_text(record: Mapping[str, Any]) -> Masked:
    """The message of a logged turn with what had been masked in it."""
    return read_spans(_text(record), record["message"].get("masked") or ())


def prediction(record: Mapping[str, Any]) -> Prediction:
    """What the agent had understood in a logged turn."""
    understood = record.get("understanding") or {}
    intent = understood.get("intent") or {}
    return Prediction(
        intent=intent.get("name"),
        confidence=intent.get("confidence"),
        entities=parse_entities(understood.get("entities") or ()),
        model_version=record.get("model_version"),
    )


def completed(correction: Correction, record: Mapping[str, Any] | None) -> Correction:
    """A correction that names only its turn, with the turn's text and prediction.

    Raises:
        InputError: the turn is not (or no longer) in the log, or the correction does not fit it.
    """
    if record is None:
        raise InputError(
            f"turn {correction.turn_id!r} is not in the log: use an id of a kept turn, "
            "or give the text"
        )
    return check(
        replace(
            correction,
            text=_text(record),
            conversation_id=record["message"].get("conversation_id"),
            predicted=prediction(record),
        )
    )
