"""The domain's `slots` and `forms` with their mappings."""

from typing import Any

from agent.project.domain_merge import Entry
from agent.project.types import Form, MappingCondition, Slot, SlotMapping
from agent.project.yaml_values import line_of, plain

_OLD_NAMES = {"boolean": "bool", "unfeaturized": "any"}
"""Types by the names of Rasa's classes, where those say another word."""
SLOT_TYPES = ("text", "bool", "categorical", "float", "list", "any")
MAPPING_TYPES = ("from_entity", "from_intent", "from_trigger_intent", "from_text", "custom")
_SLOT_KEYS = {
    "type",
    "influence_conversation",
    "initial_value",
    "values",
    "min_value",
    "max_value",
    "mappings",
}
_MAPPING_KEYS = {
    "type",
    "entity",
    "role",
    "group",
    "intent",
    "not_intent",
    "value",
    "action",
    "conditions",
}
_CONDITION_KEYS = {"active_loop", "requested_slot"}
_PRO_MAPPINGS = ("from_llm", "controlled")
_REQUIRED = {"from_entity": "entity", "from_intent": "value", "from_trigger_intent": "value"}


def read_slot(entry: Entry) -> Slot:
    """One slot; what is wrong is reported and replaced by a default."""
    data = entry.value
    if not isinstance(data, dict):
        entry.error("must be a mapping with `type` and `mappings`", "slots")
        return Slot(entry.name, "any")
    entry.report_unknown(data, _SLOT_KEYS, "slots")
    kind = _slot_type(entry, data)
    slot = Slot(
        name=entry.name,
        type=kind,
        influence_conversation=entry.flag(data, "influence_conversation", kind != "any", "slots"),
        initial_value=plain(data.get("initial_value")),
        values=_values(entry, data, kind),
        min_value=_number(entry, data, "min_value", 0.0),
        max_value=_number(entry, data, "max_value", 1.0),
        mappings=_mappings(entry, data),
    )
    if kind == "float" and slot.min_value >= slot.max_value:
        line = line_of(data, "max_value" if "max_value" in data else "min_value", entry.line)
        entry.error(f"is not above the least value {slot.min_value:g}", "slots", "max_value", line)
    if not _holds(slot):
        line = line_of(data, "initial_value", entry.line)
        message = f"{slot.initial_value!r} is no value of a {kind} slot"
        entry.warning(message, "slots", "initial_value", line)
    return slot


def _holds(slot: Slot) -> bool:
    """Whether the initial value is one that the slot's type can feature."""
    value = slot.initial_value
    if value is None:
        return True
    match slot.type:
        case "bool":
            return isinstance(value, bool) or str(value).lower() in ("true", "false", "0", "1")
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "categorical":
            known = {str(one).lower() for one in slot.values}
            return not known or str(value).lower() in {*known, "__other__"}
        case _:
            return True


def _slot_type(entry: Entry, data: Any) -> str:
    kind, line = data.get("type"), line_of(data, "type", entry.line)
    if kind in SLOT_TYPES:
        return str(kind)
    short = str(kind).rpartition(".")[2].removesuffix("Slot").lower()
    short = _OLD_NAMES.get(short, short)
    if isinstance(kind, str) and kind.startswith(("rasa.", "rasa_core.")) and short in SLOT_TYPES:
        return short
    if isinstance(kind, str) and "." in kind:
        entry.warning(
            f"the slot class {kind!r} is not run: the slot is kept as type `any`",
            "slots",
            "type",
            line,
        )
        return "any"
    known = ", ".join(SLOT_TYPES)
    entry.error(f"the type is one of {known}, not {kind!r}", "slots", "type", line)
    return "any"


def _number(entry: Entry, data: Any, key: str, default: float) -> float:
    value = data.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        entry.error(f"is a number, not {value!r}", "slots", key, line_of(data, key, entry.line))
        return default
    return float(value)


def _values(entry: Entry, data: Any, kind: str) -> tuple[Any, ...]:
    values = data.get("values")
    if values is None:
        if kind == "categorical":
            entry.warning("a categorical slot has no `values`", "slots", "values")
        return ()
    if not isinstance(values, list):
        line = line_of(data, "values", entry.line)
        entry.error("must be a list", "slots", "values", line)
        return ()
    return tuple(plain(values))


def _mappings(entry: Entry, data: Any) -> tuple[SlotMapping, ...]:
    items = data.get("mappings")
    line = line_of(data, "mappings", entry.line)
    if items is None:
        return ()
    if not isinstance(items, list):
        entry.error("must be a list of `- type: …` items", "slots", "mappings", line)
        return ()
    read = (_mapping(entry, item, line_of(items, i, line), i) for i, item in enumerate(items))
    return tuple(mapping for mapping in read if mapping is not None)


def _mapping(entry: Entry, item: Any, line: int, i: int) -> SlotMapping | None:
    key = f"mappings[{i}]"
    kind = item.get("type") if isinstance(item, dict) else None
    if kind not in MAPPING_TYPES:
        shown = kind if isinstance(item, dict) else item
        known = ", ".join(MAPPING_TYPES)
        pro = " (of Rasa Pro, which is not run)" if shown in _PRO_MAPPINGS else ""
        message = f"the mapping's type is one of {known}, not {shown!r}{pro}"
        entry.error(message, "slots", key, line)
        return None
    needed = _REQUIRED.get(kind)
    if needed and item.get(needed) is None:
        entry.error(f"a {kind} mapping needs `{needed}`", "slots", key, line)
        return None
    for name in item:
        if name not in _MAPPING_KEYS:
            at = line_of(item, name, line)
            entry.warning(f"the key {name!r} is unknown and not read", "slots", key, at)
    return SlotMapping(
        type=kind,
        entity=_word(entry, item, "entity", key, line),
        role=_word(entry, item, "role", key, line),
        group=_word(entry, item, "group", key, line),
        intent=words(entry, item, "intent", f"slots.{entry.name}.{key}"),
        not_intent=words(entry, item, "not_intent", f"slots.{entry.name}.{key}"),
        value=plain(item.get("value")),
        action=_word(entry, item, "action", key, line),
        conditions=_mapping_conditions(entry, item, key, line),
    )


def _word(entry: Entry, item: Any, name: str, key: str, line: int) -> str | None:
    value = item.get(name)
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    entry.error(
        f"`{name}` is a name, not {plain(value)!r}", "slots", key, line_of(item, name, line)
    )
    return None


def words(entry: Entry, item: Any, name: str, key: str) -> tuple[str, ...]:
    """A name or a list of names under `name`, as a tuple."""
    value = item.get(name)
    if value is None:
        return ()
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in many):
        line = line_of(item, name, entry.line)
        entry.source.error(
            f"`{name}` is a name or a list of names, not {plain(value)!r}", line, key
        )
        return ()
    return tuple(str(one) for one in many)


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and set(value) <= _CONDITION_KEYS


def _mapping_conditions(
    entry: Entry, item: Any, key: str, line: int
) -> tuple[MappingCondition, ...]:
    value = item.get("conditions")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(_is_condition(one) for one in value):
        at = line_of(item, "conditions", line)
        entry.error(
            "`conditions` must be a list of {active_loop, requested_slot}", "slots", key, at
        )
        return ()
    return tuple(
        MappingCondition(
            active_loop=_word(entry, one, "active_loop", key, line),
            requested_slot=_word(entry, one, "requested_slot", key, line),
        )
        for one in value
    )


def read_form(entry: Entry) -> Form:
    """One form in the 3.x layout; what is wrong is reported."""
    data = entry.value if entry.value is not None else {}
    if not isinstance(data, dict):
        entry.error("must be a mapping with `required_slots`", "forms")
        return Form(entry.name)
    entry.report_unknown(data, ("required_slots", "ignored_intents"), "forms")
    return Form(
        name=entry.name,
        required_slots=words(entry, data, "required_slots", f"forms.{entry.name}"),
        ignored_intents=words(entry, data, "ignored_intents", f"forms.{entry.name}"),
    )
