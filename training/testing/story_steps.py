"""What a test story's steps mean, and how they look in a stories file."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from agent.dialogue.events import ActiveLoop, Event, SlotSet, UserUttered
from agent.understanding.values import EXTRACTORS
from training.testing.story_report import StepResult, quoted


class Meaning(NamedTuple):
    """What a message means: its intent, and what Rasa compares of its entities."""

    intent: str | None
    entities: frozenset[tuple[str, str, Any, Any]]

    def __str__(self) -> str:
        marks = ", ".join(f"{e[0]}={e[1]!r}" for e in sorted(self.entities, key=str))
        return f"{self.intent}" + (f" {{{marks}}}" if marks else "")


def meanings(gold: UserUttered, found: Mapping[str, Any]) -> tuple[Meaning, Meaning]:
    """What the story says that a message means, and what its parse result says.

    Values in the place of Duckling's count only if the story names them, and by their place if
    it says where: test stories are mostly written and run without Duckling's server, and what
    "tomorrow" is changes every day.
    """
    placed = all(entity.get("start") is not None for entity in gold.entities)
    wanted = Meaning(full_intent(gold), _entity_set(gold.entities, placed))
    entities = list(found.get("entities") or ())
    values = [e for e in entities if e.get("extractor") in EXTRACTORS]
    judged = _entity_set([e for e in entities if e not in values], placed)
    found_values = _entity_set(values, placed)
    places = {(label, start, end) for label, _, start, end in found_values if start is not None}
    named = {e for e in wanted.entities if e in found_values or (e[0], e[2], e[3]) in places}
    got = judged | named
    # What stands beside a text Rasa does not read: it may be found, and need not be.
    beside = _entity_set(gold.parse_data.get("beside") or (), placed=False)
    if not wanted.entities and {e[:2] for e in got} == {e[:2] for e in beside}:
        got = wanted.entities
    return wanted, Meaning(_found_intent(found, wanted.intent), got)


def full_intent(gold: UserUttered) -> str | None:
    """The intent that the story names, of a retrieval intent with its key."""
    name = (gold.parse_data.get("intent") or {}).get("full_retrieval_intent_name")
    return str(name) if name else gold.intent


def _found_intent(found: Mapping[str, Any], wanted: str | None) -> str | None:
    """The intent; the key of a retrieval intent counts if the story names one."""
    intent: str | None = (found.get("intent") or {}).get("name")
    selectors = found.get("response_selector") or {}
    if intent == wanted or intent not in selectors.get("all_retrieval_intents", ()):
        return intent
    selected = selectors.get("default") or selectors.get(intent) or {}
    return str(selected.get("response", {}).get("intent_response_key") or intent)


def _entity_set(
    entities: Iterable[Mapping[str, Any]], placed: bool
) -> frozenset[tuple[str, str, Any, Any]]:
    """Label, value and (if the story says where) place; Rasa leaves out role and group."""
    return frozenset(
        (
            str(entity["entity"]),
            str(entity.get("value")),
            entity.get("start") if placed else None,
            entity.get("end") if placed else None,
        )
        for entity in entities
    )


def told_steps(event: Event) -> list[StepResult]:
    """Events that the story states, shown in its diff."""
    match event:
        case ActiveLoop(name=name):
            loop = (f"- active_loop: {quoted(name)}",)
            return [StepResult("loop", str(name or "none"), yaml=loop)]
        case SlotSet(name=name, value=value):
            yaml = ("- slot_was_set:", f"  - {name}: {quoted(value)}")
            return [StepResult("slot", f"{name} = {value!r}", yaml=yaml)]
        case _:
            return []


def user_yaml(event: UserUttered) -> tuple[str, ...]:
    """A message as the lines of a story step."""
    lines = [f"intent: {quoted(full_intent(event))}"] if event.intent else []
    if event.text:
        lines.append(f"user: {quoted(_marked_text(event))}")
    elif event.entities:
        lines.append("entities:")
        lines += [f"- {e['entity']}: {quoted(e.get('value'))}" for e in event.entities]
    return tuple(("- " if i == 0 else "  ") + line for i, line in enumerate(lines))


def _marked_text(event: UserUttered) -> str:
    """The text with its entities marked as in training data."""
    text = event.text or ""
    placed = [e for e in event.entities if e.get("start") is not None and e.get("end") is not None]
    for entity in sorted(placed, key=lambda e: -e["start"]):
        start, end = entity["start"], entity["end"]
        keys = ("entity", "value", "role", "group")
        mark = {key: entity[key] for key in keys if entity.get(key) is not None}
        text = f"{text[:start]}[{text[start:end]}]{quoted(mark)}{text[end:]}"
    return text
