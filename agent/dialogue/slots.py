"""Slot values: what a slot stores and what of it the policies see."""

from typing import Any

from agent.dialogue.names import (
    BUILTIN_SLOTS,
    KNOWLEDGE_BASE_ACTION,
    KNOWLEDGE_BASE_SLOTS,
    REQUESTED_SLOT,
    SESSION_METADATA_SLOT,
    SHOULD_NOT_BE_SET,
)
from agent.project.types import Domain, Slot

Feature = tuple[float, ...] | str
"""A slot's features, or the mark `should_not_be_set` of a rule."""

OTHER_CATEGORY = "__other__"


def domain_slots(domain: Domain) -> dict[str, Slot]:
    """The domain's slots with those that Rasa adds by itself."""
    slots = dict(domain.slots)
    implicit = [SESSION_METADATA_SLOT]
    if domain.forms:
        implicit.append(REQUESTED_SLOT)
    if KNOWLEDGE_BASE_ACTION in domain.actions:
        implicit.extend(KNOWLEDGE_BASE_SLOTS)
    for name in implicit:
        slots.setdefault(name, Slot(name=name, type="any", influence_conversation=False))
    return slots


def user_slots(domain: Domain) -> list[Slot]:
    """The slots that a message may fill: all but the built-in ones."""
    return [slot for name, slot in domain.slots.items() if name not in BUILTIN_SLOTS]


def stored_value(slot: Slot, value: Any) -> Any:
    """What the slot keeps of a value: a list slot wraps a single one, others keep it as it is.

    >>> stored_value(Slot(name="toppings", type="list"), "ham")
    ['ham']
    """
    if slot.type == "list" and value and not isinstance(value, list):
        return [value]
    return value


def slot_feature(slot: Slot, value: Any) -> Feature:
    """What the policies see of a stored value; empty if the slot is unset or does not count.

    Text and list slots count as set or unset, bool and float slots carry their value,
    categorical slots the one of their values that it is (`__other__` for the rest).
    """
    if not slot.influence_conversation or slot.type not in _FEATURES or value is None:
        return ()
    # Rasa wraps the mark in a list before it looks, so a list slot that must be empty
    # counts as set; projects were tested against that.
    if value == SHOULD_NOT_BE_SET:
        return SHOULD_NOT_BE_SET
    feature: tuple[float, ...] = _FEATURES[slot.type](slot, value)
    return feature if any(feature) else ()


def is_featurized(slot: Slot) -> bool:
    """Whether the slot's value can change what is predicted."""
    return slot.influence_conversation and slot.type in _FEATURES


def _text_feature(slot: Slot, value: Any) -> tuple[float, ...]:
    return (1.0,)


def _list_feature(slot: Slot, value: Any) -> tuple[float, ...]:
    return (1.0,) if isinstance(value, list | tuple | str | dict) and len(value) else (0.0,)


def _bool_feature(slot: Slot, value: Any) -> tuple[float, ...]:
    if isinstance(value, bool | int | float):
        return (1.0, float(value == 1))
    word = value.strip().lower() if isinstance(value, str) else ""
    if word.isnumeric():
        return (1.0, float(float(word) == 1.0))
    if word in ("true", "false"):
        return (1.0, float(word == "true"))
    return (0.0, 0.0)


def _float_feature(slot: Slot, value: Any) -> tuple[float, ...]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return (0.0, 0.0)
    span = abs(slot.max_value - slot.min_value) or 1.0
    capped = max(slot.min_value, min(slot.max_value, number))
    return (1.0, (capped - slot.min_value) / span)


def _categorical_feature(slot: Slot, value: Any) -> tuple[float, ...]:
    names = [str(v).lower() for v in slot.values if v is not None]
    if OTHER_CATEGORY not in names:
        names.append(OTHER_CATEGORY)
    wanted = str(value).lower()
    hit = names.index(wanted) if wanted in names else names.index(OTHER_CATEGORY)
    return tuple(float(i == hit) for i in range(len(names)))


_FEATURES = {
    "text": _text_feature,
    "list": _list_feature,
    "bool": _bool_feature,
    "float": _float_feature,
    "categorical": _categorical_feature,
}
