"""What is wrong with stories and rules: names that the domain does not have."""

from collections.abc import Iterator

from agent.dialogue.names import (
    ACTION_DEFAULT_ASK_REPHRASE,
    ACTION_TWO_STAGE_FALLBACK,
    BUILTIN_INTENTS,
    BUILTIN_SLOTS,
    INTENT_NLU_FALLBACK,
    RULE_SNIPPET,
    action_names,
)
from agent.project.components import RULE_POLICY
from agent.project.types import Domain, Notice, Place, Project
from agent.project.usage import Usage

# Events that a story may name where an action stands.
_EVENTS = {"restart", "rewind", "undo", "reset_slots", "pause", "resume", "session_started"}


def check_stories(project: Project, usage: Usage) -> Iterator[Notice]:
    """Every finding about the names in stories and rules."""
    domain = project.domain
    yield from _intents(project, usage)
    yield from _actions(domain, usage)
    yield from _loops(domain, usage)
    for name, place in usage.entities.items():
        if name not in domain.entities:
            yield Notice(_absent("entity", name, "entities"), place, f"entities.{name}")
    for name, place in usage.slots.items():
        if name not in domain.slots and name not in BUILTIN_SLOTS:
            yield Notice(_absent("slot", name, "slots"), place, f"slots.{name}", "error")
    for name, place in usage.responses.items():
        if f"utter_{name}" not in domain.responses:
            message = f"the intent {name!r} has no response: write `utter_{name}`"
            yield Notice(message, place, f"responses.utter_{name}", "error")
    yield from _policies(project)
    yield from _fallback(project, usage)


def _absent(kind: str, name: str, section: str) -> str:
    return f"the {kind} {name!r} is not in the domain: list it under `{section}:`"


def _intents(project: Project, usage: Usage) -> Iterator[Notice]:
    domain = project.domain
    for name, place in usage.intents.items():
        if name not in domain.intents and name not in BUILTIN_INTENTS:
            yield Notice(_absent("intent", name, "intents"), place, f"intents.{name}", "error")
    used = {*usage.intents, *BUILTIN_INTENTS, *_intents_of_mappings(domain)}
    for name in domain.intents:
        if name not in used:
            place = domain.places.get(f"intents.{name}", Place())
            message = f"the intent {name!r} is used in no story, rule or form"
            yield Notice(message, place, f"intents.{name}")


def _intents_of_mappings(domain: Domain) -> set[str]:
    mappings = [mapping for slot in domain.slots.values() for mapping in slot.mappings]
    named = {name for mapping in mappings for name in (*mapping.intent, *mapping.not_intent)}
    return named | {name for form in domain.forms.values() for name in form.ignored_intents}


def _actions(domain: Domain, usage: Usage) -> Iterator[Notice]:
    known = {*action_names(domain), RULE_SNIPPET, *_EVENTS}
    for name, place in usage.actions.items():
        if name.startswith("utter_") and name not in domain.responses:
            if f"utter_{_retrieval_of(name, domain)}" != name:
                message = f"the response {name!r} is missing: write it under `responses:`"
                yield Notice(message, place, f"responses.{name}", "error")
        elif name.startswith("respond_") and name.removeprefix("respond_") in domain.intents:
            continue
        elif name not in known:
            yield Notice(_absent("action", name, "actions"), place, f"actions.{name}", "error")


def _retrieval_of(action: str, domain: Domain) -> str | None:
    intent = domain.intents.get(action.removeprefix("utter_"))
    return intent.name if intent is not None and intent.is_retrieval else None


def _loops(domain: Domain, usage: Usage) -> Iterator[Notice]:
    known = {*domain.forms, *action_names(domain)}
    for name, place in usage.loops.items():
        if name not in known:
            yield Notice(_absent("form", name, "forms"), place, f"forms.{name}", "error")


def _policies(project: Project) -> Iterator[Notice]:
    policies = project.config.policies
    needs = "rules" if project.rules else "forms" if project.domain.forms else ""
    if needs and RULE_POLICY not in policies.names:
        message = f"the project has {needs}, but config.yml has no {RULE_POLICY}"
        yield Notice(message, Place("config.yml"), "policies")


def _fallback(project: Project, usage: Usage) -> Iterator[Notice]:
    """A fallback that is never reached, or that has nothing to say."""
    config = project.config
    place = usage.intents.get(INTENT_NLU_FALLBACK)
    if place is not None and config.pipeline and config.fallback.threshold is None:
        message = f"nothing predicts {INTENT_NLU_FALLBACK}: config.yml has no FallbackClassifier"
        yield Notice(message, place, f"intents.{INTENT_NLU_FALLBACK}")
    place = usage.actions.get(ACTION_TWO_STAGE_FALLBACK)
    needed = "utter_ask_rephrase"
    overridden = ACTION_DEFAULT_ASK_REPHRASE in project.domain.actions
    if place is not None and needed not in project.domain.responses and not overridden:
        message = f"the two-stage fallback has no words to ask again: write `{needed}`"
        yield Notice(message, place, f"responses.{needed}")
