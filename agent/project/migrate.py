"""The 2.x (and 1.x YAML) layout of a domain, rewritten in place to the 3.1 layout.

Rasa 3 fills slots by explicit mappings only. Before, forms carried the mappings, and a slot
named like an entity was filled by it. Each kind of change is told in one line.
"""

from typing import Any

from agent.project.domain_merge import Entry, MergedDomain
from agent.project.types import ActionStep, Rule, UserStep
from agent.project.yaml_values import YamlMap, plain

# These mappings count whenever their form runs; the others only while it asks for the slot.
_ALWAYS = ("from_entity", "from_trigger_intent")


def migrate_domain(merged: MergedDomain) -> tuple[Rule, ...]:
    """Rewrite older layouts; gives the rules that `triggers:` stood for."""
    _join_answers(merged)
    _move_form_mappings(merged)
    _replace_old_types(merged)
    _fill_from_entities(merged)
    return _trigger_rules(merged)


def _tell(entries: list[Entry], message: str) -> None:
    """One line for all things that were changed in the same way."""
    if entries:
        names = ", ".join(entry.name for entry in entries)
        entries[0].source.info(message.format(names=names), entries[0].line)


def _copy(entry: Entry) -> YamlMap:
    """An entry's mapping that may be changed, with its lines kept."""
    data = YamlMap(entry.line)
    if isinstance(entry.value, dict):
        data.update(entry.value)
        data.lines.update(getattr(entry.value, "lines", {}))
    return data


def _join_answers(merged: MergedDomain) -> None:
    """Retrieval intents that are listed by their answers (`faq/hours`), as `faq`."""
    intents = merged["intents"]
    answers = [entry for name, entry in intents.items() if "/" in name.strip("/")]
    for entry in answers:
        del intents[entry.name]
        base = entry.name.partition("/")[0]
        intents.setdefault(base, Entry(base, entry.value, entry.source, entry.line))
    _tell(answers, "the intents {names} are answers of a retrieval intent, which is read alone")


def _move_form_mappings(merged: MergedDomain) -> None:
    moved = []
    for entry in merged["forms"].values():
        data = entry.value
        if not isinstance(data, dict):
            continue
        inside = data.get("required_slots")
        if "required_slots" in data and not isinstance(inside, dict):
            continue
        slots = inside if isinstance(inside, dict) else _bare_slots(data)
        if inside is None and not slots:
            continue
        for name, mappings in slots.items():
            _add_form_mappings(merged, entry, name, mappings)
        changed = YamlMap(entry.line)
        changed["required_slots"] = list(slots)
        if data.get("ignored_intents"):
            changed["ignored_intents"] = data["ignored_intents"]
        entry.value = changed
        moved.append(entry)
    _tell(moved, "2.x layout: the slot mappings inside the forms {names} now belong to their slots")


def _bare_slots(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "ignored_intents"}


def _add_form_mappings(merged: MergedDomain, form: Entry, name: str, mappings: Any) -> None:
    slot = merged["slots"].get(name)
    if mappings is None:
        mappings = []
    items = mappings if isinstance(mappings, list) else [mappings]
    bad = [item for item in items if not isinstance(item, dict)]
    if bad:
        form.error(
            f"a slot mapping must be a mapping like `type: …`, not {bad[0]!r}", "forms", name
        )
        return
    if slot is None or not isinstance(slot.value, dict):
        return  # the validator reports a form that asks for an unknown slot
    data = _copy(slot)
    known = list(data.get("mappings") or [])
    for item in items:
        condition = {"active_loop": form.name}
        if item.get("type") not in _ALWAYS:
            condition["requested_slot"] = name
        _join(known, plain(item), condition)
    data["mappings"] = known
    slot.value = data


def _join(known: list[Any], mapping: dict[str, Any], condition: dict[str, str]) -> None:
    """Add a mapping, or only its condition where another form has the same mapping."""
    for other in known:
        same = {key: value for key, value in other.items() if key != "conditions"} == mapping
        if same and "conditions" in other:
            other["conditions"] = [*other["conditions"], condition]
            return
    known.append({**mapping, "conditions": [condition]})


def _replace_old_types(merged: MergedDomain) -> None:
    changed = []
    for entry in merged["slots"].values():
        if isinstance(entry.value, dict) and entry.value.get("type") == "unfeaturized":
            data = _copy(entry)
            data.update(type="any", influence_conversation=False)
            entry.value = data
            changed.append(entry)
    _tell(changed, "1.x layout: the type `unfeaturized` of the slots {names} is read as `any`")


def _fill_from_entities(merged: MergedDomain) -> None:
    stores = merged.values["config"].get("store_entities_as_slots")
    automatic = stores is None or stores.value is not False
    filled, custom = [], []
    for entry in merged["slots"].values():
        if not isinstance(entry.value, dict) or not _is_old(entry.value):
            continue
        data = _copy(entry)
        wanted = data.pop("auto_fill", True) is not False and automatic
        mappings = list(data.get("mappings") or [])
        if wanted and entry.name in merged["entities"]:
            mappings.append({"type": "from_entity", "entity": entry.name})
            filled.append(entry)
        elif not mappings:
            mappings.append({"type": "custom"})
            custom.append(entry)
        data["mappings"] = mappings
        entry.value = data
    _tell(filled, "2.x layout: the slots {names} are filled from the entities of the same name")
    _tell(custom, "2.x layout: the slots {names} have no mappings and are filled by actions only")


def _is_old(data: dict[str, Any]) -> bool:
    """Whether a slot is filled as before 3.0: it has no mappings of its own."""
    own = data.get("mappings")
    from_forms = bool(own) and not isinstance(getattr(data, "lines", {}).get("mappings"), int)
    return "auto_fill" in data or "mappings" not in data or own is None or from_forms


def _trigger_rules(merged: MergedDomain) -> tuple[Rule, ...]:
    """The mapping policy's `triggers: action` of an intent, as the rule it stood for."""
    rules, entries = [], []
    for entry in merged["intents"].values():
        if not isinstance(entry.value, dict) or "triggers" not in entry.value:
            continue
        data = _copy(entry)
        action = str(data.pop("triggers"))
        entry.value = data
        entries.append(entry)
        steps = (UserStep(entry.name, line=entry.line), ActionStep(action, line=entry.line))
        place = entry.source.place(entry.line)
        rules.append(Rule(f"{entry.name} triggers {action}", steps, place=place))
    _tell(entries, "1.x layout: `triggers` of the intents {names} is read as a rule each")
    return tuple(rules)
