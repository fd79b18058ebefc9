"""What is wrong within a domain: slots nobody fills, forms without questions, dead names."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.dialogue.names import BUILTIN_ACTIONS, BUILTIN_INTENTS, BUILTIN_SLOTS
from agent.project.types import Domain, Form, Intent, Notice, Place, Project, Slot, SlotMapping
from agent.project.usage import Usage

_BUILTIN_RESPONSES = {"utter_default", "utter_ask_rephrase", "utter_restart", "utter_session_start"}
_RESPONSE_NAME = re.compile(r"utter_\w+")
_PAYLOAD = re.compile(r"^/([^{@\s]+)")
_SLOT = re.compile(r"\{[\w.]+\}")
_DUCKLING = ("DucklingEntityExtractor", "DucklingHTTPExtractor")


def check_domain(project: Project, usage: Usage) -> Iterator[Notice]:
    """Every finding about the domain's own things."""
    for form in project.domain.forms.values():
        yield from _form(form, project.domain)
    for slot in project.domain.slots.values():
        yield from _slot(slot, project, usage)
    for intent in project.domain.intents.values():
        yield from _intent(intent, project.domain)
    yield from _responses(project, usage)
    yield from _fallback_action(project)
    yield from _selectors(project)


def _place(domain: Domain, key: str) -> Place:
    return domain.places.get(key, Place())


def _form(form: Form, domain: Domain) -> Iterator[Notice]:
    key = f"forms.{form.name}"
    place = _place(domain, key)
    if not form.required_slots and f"validate_{form.name}" not in domain.actions:
        yield Notice("the form asks for no slots (`required_slots`)", place, key)
    for name in form.required_slots:
        if name not in domain.slots:
            message = f"the form asks for the slot {name!r}, which is not in the domain"
            yield Notice(message, place, key, "error")
        elif not _has_question(form.name, name, domain):
            yield Notice(
                f"nothing asks for the slot {name!r}: write `utter_ask_{name}` "
                f"(or utter_ask_{form.name}_{name}, or an action of that name)",
                place,
                key,
            )
    yield from _unknown(form.ignored_intents, domain, place, f"{key}.ignored_intents")


def _has_question(form: str, slot: str, domain: Domain) -> bool:
    endings = (f"ask_{form}_{slot}", f"ask_{slot}")
    return any(
        f"action_{ending}" in domain.actions
        or f"utter_{ending}" in domain.responses
        or f"utter_{ending}" in domain.actions
        for ending in endings
    )


def _unknown(names: Iterable[str], domain: Domain, place: Place, key: str) -> Iterator[Notice]:
    for name in names:
        if name not in domain.intents and name not in BUILTIN_INTENTS:
            yield Notice(f"names the intent {name!r}, which is not in the domain", place, key)


def _intent(intent: Intent, domain: Domain) -> Iterator[Notice]:
    """Entities that an intent uses or ignores have to be the domain's."""
    key = f"intents.{intent.name}"
    for name in dict.fromkeys((*(intent.use_entities or ()), *intent.ignore_entities)):
        if name.partition("#")[0].partition("@")[0] not in domain.entities:
            message = f"names the entity {name!r}, which is not in the domain"
            yield Notice(message, _place(domain, key), key)
        elif name in intent.ignore_entities and name in (intent.use_entities or ()):
            yield Notice(f"uses and ignores the entity {name!r}", _place(domain, key), key)


def _slot(slot: Slot, project: Project, usage: Usage) -> Iterator[Notice]:
    domain = project.domain
    key = f"slots.{slot.name}"
    place = _place(domain, key)
    for i, mapping in enumerate(slot.mappings):
        yield from _mapping(slot, mapping, project, place, f"{key}.mappings[{i}]")
    custom_only = all(mapping.type == "custom" for mapping in slot.mappings)
    filled_by_code = bool(domain.actions) or slot.name in BUILTIN_SLOTS
    if custom_only and not filled_by_code and slot.initial_value is None:
        message = "nothing fills the slot: it has no mapping, and there are no custom actions"
        yield Notice(message, place, key)
    for (name, value), where in usage.values.items():
        if name == slot.name and slot.type == "categorical" and not _is_value(slot, value):
            known = ", ".join(map(str, slot.values))
            message = f"the slot {name!r} never has the value {value!r} (its values: {known})"
            yield Notice(message, where, key)


def _is_value(slot: Slot, value: str) -> bool:
    return value.lower() in {"__other__", *(str(known).lower() for known in slot.values)}


def _mapping(
    slot: Slot, mapping: SlotMapping, project: Project, place: Place, key: str
) -> Iterator[Notice]:
    domain = project.domain
    yield from _unknown((*mapping.intent, *mapping.not_intent), domain, place, key)
    entity = domain.entities.get(mapping.entity or "")
    if mapping.entity is not None and entity is None:
        message = f"names the entity {mapping.entity!r}, which is not in the domain"
        yield Notice(message, place, key)
    if entity is not None and mapping.role and mapping.role not in entity.roles:
        message = f"names the role {mapping.role!r}, which {entity.name!r} does not have"
        yield Notice(message, place, key)
    if entity is not None and mapping.group and mapping.group not in entity.groups:
        message = f"names the group {mapping.group!r}, which {entity.name!r} does not have"
        yield Notice(message, place, key)
    if mapping.action is not None and mapping.action not in domain.actions:
        message = f"names the action {mapping.action!r}, which is not in the domain"
        yield Notice(message, place, key)
    for condition in mapping.conditions:
        loop = condition.active_loop
        if condition.requested_slot is not None and condition.requested_slot not in domain.slots:
            message = f"names the slot {condition.requested_slot!r}, which is not in the domain"
            yield Notice(message, place, key)
        if loop is None:
            continue
        if loop not in domain.forms:
            message = f"names the form {loop!r}, which is not in the domain"
            yield Notice(message, place, key, "error")
        elif slot.name not in domain.forms[loop].required_slots and not _is_dynamic(loop, domain):
            message = f"fills {slot.name!r} in the form {loop!r}, which does not ask for it"
            yield Notice(message, place, key)


def _is_dynamic(form: str, domain: Domain) -> bool:
    return f"validate_{form}" in domain.actions


def _responses(project: Project, usage: Usage) -> Iterator[Notice]:
    domain = project.domain
    used = {*usage.actions, *_BUILTIN_RESPONSES, *_named_in_code(project.root)}
    used |= {f"utter_{name}" for name in usage.responses}
    used |= {f"utter_{example.response}" for example in project.nlu.examples if example.response}
    for name, variations in domain.responses.items():
        key = f"responses.{name}"
        if name not in used and not name.startswith("utter_ask_"):
            message = f"the response {name!r} is used in no story, rule, form or action"
            yield Notice(message, _place(domain, key), key)
        for variation in variations:
            yield from _payloads(variation.buttons, domain, key)
            for slot, _ in variation.conditions:
                if slot not in domain.slots:
                    message = f"a condition names the slot {slot!r}, which is not in the domain"
                    yield Notice(message, _place(domain, key), key)


def _payloads(buttons: Iterable[object], domain: Domain, key: str) -> Iterator[Notice]:
    for button in buttons:
        payload = button.get("payload") if isinstance(button, dict) else None
        match = _PAYLOAD.match(str(payload or ""))
        if match and not _is_whole(str(payload)):
            message = f"the entities of the payload {payload!r} are no JSON object"
            yield Notice(message, _place(domain, key), f"{key}.buttons")
        if match:
            name = match[1].partition("/")[0]
            yield from _unknown((name,), domain, _place(domain, key), f"{key}.buttons")


def _is_whole(payload: str) -> bool:
    """Whether the entities of a payload, if it has any, are JSON once its slots are filled in."""
    entities = payload[payload.find("{") :] if "{" in payload else "{}"
    filled = _SLOT.sub("0", entities.replace("{{", "{").replace("}}", "}"))
    for text in (entities, filled):
        try:
            return isinstance(json.loads(text), dict)
        except ValueError:
            continue
    return False


def _named_in_code(root: Path) -> set[str]:
    """The responses that the project's Python code names."""
    files = [*root.glob("*.py"), *(root / "actions").rglob("*.py")]
    names: set[str] = set()
    for file in files:
        try:
            names.update(_RESPONSE_NAME.findall(file.read_text("utf-8", errors="replace")))
        except OSError:
            continue
    return names


def _fallback_action(project: Project) -> Iterator[Notice]:
    domain = project.domain
    name = project.config.policies.core_fallback_action
    if name not in {*BUILTIN_ACTIONS, *domain.actions, *domain.responses, *domain.forms}:
        message = f"names the action {name!r}, which is not in the domain"
        key = "policies.RulePolicy.core_fallback_action_name"
        yield Notice(message, Place("config.yml"), key, "error")


def _selectors(project: Project) -> Iterator[Notice]:
    """Response selectors for a retrieval intent that nobody answers."""
    answered = {example.intent for example in project.nlu.examples if example.response}
    for i, part in enumerate(project.config.pipeline):
        wanted = str(part.get("retrieval_intent") or "")
        if part["name"] == "ResponseSelector" and wanted and wanted not in answered:
            message = f"names the retrieval intent {wanted!r}, which has no examples"
            yield Notice(message, Place("config.yml"), f"pipeline[{i}].ResponseSelector")
