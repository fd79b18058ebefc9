"""A merged domain to a Domain."""

from typing import Any

from agent.project.domain_merge import Entry, MergedDomain
from agent.project.responses import read_response
from agent.project.slots import read_form, read_slot, words
from agent.project.types import Domain, EntityType, Intent, Place, SessionConfig
from agent.project.yaml_values import plain

_INTENT_KEYS = {"use_entities", "ignore_entities", "is_retrieval_intent", "title", "description"}
_ENTITY_KEYS = {"roles", "groups", "influence_conversation", "description"}


def read_domain(merged: MergedDomain) -> Domain:
    """The domain that all files together describe; what is wrong is reported."""
    actions = merged["actions"]
    forms = {name: read_form(entry) for name, entry in merged["forms"].items()}
    return Domain(
        intents={name: _intent(entry) for name, entry in merged["intents"].items()},
        entities={name: _entity(entry) for name, entry in merged["entities"].items()},
        slots={name: read_slot(entry) for name, entry in merged["slots"].items()},
        forms=forms,
        responses={name: read_response(entry) for name, entry in merged["responses"].items()},
        actions=tuple(name for name in actions if name not in forms),
        e2e_actions=tuple(merged["e2e_actions"]),
        send_domain=tuple(name for name, entry in actions.items() if _sends_domain(entry)),
        session=_session(merged.values["session_config"]),
        store_entities_as_slots=_stores_entities(merged.values["config"]),
        raw=raw_domain(merged),
        places=_places(merged),
    )


def _intent(entry: Entry) -> Intent:
    data = entry.value if entry.value is not None else {}
    if not isinstance(data, dict):
        entry.error("must be a mapping such as `use_entities: []`", "intents")
        return Intent(entry.name)
    entry.report_unknown(data, _INTENT_KEYS, "intents")
    uses = data.get("use_entities", True)
    key = f"intents.{entry.name}"
    return Intent(
        name=entry.name,
        use_entities=None
        if uses is True
        else words(entry, data, "use_entities", key)
        if uses
        else (),
        ignore_entities=words(entry, data, "ignore_entities", key)
        if data.get("ignore_entities")
        else (),
        is_retrieval=bool(data.get("is_retrieval_intent", False)),
        title=_optional(data.get("title")),
        description=_optional(data.get("description")),
    )


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)


def _entity(entry: Entry) -> EntityType:
    data = entry.value if entry.value is not None else {}
    if not isinstance(data, dict):
        entry.error("must be a mapping such as `roles: […]`", "entities")
        return EntityType(entry.name)
    entry.report_unknown(data, _ENTITY_KEYS, "entities")
    key = f"entities.{entry.name}"
    return EntityType(
        name=entry.name,
        roles=words(entry, data, "roles", key),
        groups=words(entry, data, "groups", key),
        influence_conversation=entry.flag(data, "influence_conversation", True, "entities"),
        description=_optional(data.get("description")),
    )


def _sends_domain(entry: Entry) -> bool:
    if entry.value is None:
        return False
    if not isinstance(entry.value, dict):
        entry.error("must be a mapping such as `send_domain: true`", "actions")
        return False
    entry.report_unknown(entry.value, ("send_domain",), "actions")
    return entry.flag(entry.value, "send_domain", False, "actions")


def _session(values: dict[str, Entry]) -> SessionConfig:
    default = SessionConfig()
    time_min: float = default.expiration_time_min
    carry = default.carry_over_slots
    for name, entry in values.items():
        value = entry.value
        if name == "session_expiration_time":
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                entry.error(f"is a number of minutes (0 = never), not {value!r}", "session_config")
            else:
                time_min = float(value)
        elif name == "carry_over_slots_to_new_session":
            if not isinstance(value, bool):
                entry.error(f"is true or false, not {value!r}", "session_config")
            else:
                carry = value
        else:
            entry.warning("the key is unknown and not read", "session_config")
    return SessionConfig(time_min, carry)


def _stores_entities(values: dict[str, Entry]) -> bool:
    stores = True
    for name, entry in values.items():
        if name == "store_entities_as_slots":
            if entry.value is not None and not isinstance(entry.value, bool):
                entry.error(f"is true or false, not {entry.value!r}", "config")
            stores = entry.value is not False
        else:
            entry.warning("the key is unknown and not read", "config")
    return stores


def raw_domain(merged: MergedDomain) -> dict[str, Any]:
    """The merged domain as plain JSON, in Rasa's 3.1 layout (what an action server receives)."""
    raw: dict[str, Any] = {"version": "3.1"}
    session = _session_quietly(merged)
    raw["session_config"] = {
        "session_expiration_time": session.get("session_expiration_time", 60),
        "carry_over_slots_to_new_session": session.get("carry_over_slots_to_new_session", True),
    }
    if merged.values["config"]:
        raw["config"] = {k: plain(entry.value) for k, entry in merged.values["config"].items()}
    for section in ("intents", "entities", "actions", "e2e_actions"):
        raw[section] = [
            {name: plain(entry.value)} if entry.value else name
            for name, entry in merged[section].items()
        ]
    for section in ("slots", "forms", "responses"):
        raw[section] = {name: plain(entry.value) for name, entry in merged[section].items()}
    return raw


def _session_quietly(merged: MergedDomain) -> dict[str, Any]:
    return {name: plain(entry.value) for name, entry in merged.values["session_config"].items()}


def _places(merged: MergedDomain) -> dict[str, Place]:
    return {
        f"{section}.{name}": entry.source.place(entry.line)
        for section, entries in merged.sections.items()
        for name, entry in entries.items()
    }
