"""What is wrong with the training data for understanding."""

import re
from collections import defaultdict
from collections.abc import Iterator

from agent.dialogue.names import BUILTIN_INTENTS
from agent.project.markup import overlaps
from agent.project.types import Domain, Example, NluData, Notice
from agent.turn import FALLBACK_INTENT, OOS_INTENT
from agent.understanding.patterns import takes_too_long

_ALWAYS_KNOWN = {*BUILTIN_INTENTS, OOS_INTENT, FALLBACK_INTENT}
FEWEST_EXAMPLES = 2


def check_nlu(nlu: NluData, domain: Domain) -> Iterator[Notice]:
    """Every finding about examples, patterns and their names."""
    if not nlu.examples:
        yield Notice("there are no examples: `agent train` needs some under `nlu:` in data/")
    yield from _intents(nlu, domain)
    yield from _contradicting_examples(nlu)
    yield from _entities(nlu, domain)
    yield from _spans(nlu)
    yield from _patterns(nlu)
    yield from _retrieval(nlu, domain)


def _intents(nlu: NluData, domain: Domain) -> Iterator[Notice]:
    by_intent: dict[str, list[Example]] = defaultdict(list)
    for example in nlu.examples:
        if example.intent is not None:
            by_intent[example.intent].append(example)
    for name, examples in by_intent.items():
        if name not in domain.intents and name not in _ALWAYS_KNOWN:
            yield Notice(
                f"the intent {name!r} has examples but is not in the domain: list it there",
                examples[0].place,
                f"intents.{name}",
            )
        if len({example.text for example in examples}) < FEWEST_EXAMPLES:
            yield Notice(
                f"the intent {name!r} has one example only: write at least {FEWEST_EXAMPLES}",
                examples[0].place,
                f"intents.{name}",
            )
    for name in domain.intents:
        if name not in by_intent and domain.intents[name].description:
            yield Notice(
                f"the intent {name!r} has no examples: it is known by its description alone",
                domain.places.get(f"intents.{name}", Notice("").place),
                f"intents.{name}",
                "info",
            )
        elif name not in by_intent and name not in _ALWAYS_KNOWN:
            yield Notice(
                f"the intent {name!r} has no examples: only a payload `/{name}` can mean it",
                domain.places.get(f"intents.{name}", Notice("").place),
                f"intents.{name}",
            )


def _contradicting_examples(nlu: NluData) -> Iterator[Notice]:
    seen: dict[str, Example] = {}
    for example in nlu.examples:
        if example.intent is None:
            continue
        key = " ".join(example.text.casefold().split())
        first = seen.setdefault(key, example)
        label, other = example.response or example.intent, first.response or first.intent
        if label != other:
            yield Notice(
                f"the example {example.text[:60]!r} has the intent {label!r} here and {other!r} "
                f"in {first.place.path}:{first.place.line}: keep one",
                example.place,
                f"intents.{label}",
            )


def _entities(nlu: NluData, domain: Domain) -> Iterator[Notice]:
    reported = set()
    for example in nlu.examples:
        for entity in example.entities:
            kind = domain.entities.get(entity.label)
            if kind is None:
                missing, where = f"entity {entity.label!r}", "entities"
            elif entity.role and entity.role not in kind.roles:
                missing, where = f"role {entity.role!r} of {entity.label!r}", "its roles"
            elif entity.group and entity.group not in kind.groups:
                missing, where = f"group {entity.group!r} of {entity.label!r}", "its groups"
            else:
                continue
            if missing not in reported:
                reported.add(missing)
                yield Notice(
                    f"the {missing} is annotated but not in the domain: list it under {where}",
                    example.place,
                    f"entities.{entity.label}",
                )


def _spans(nlu: NluData) -> Iterator[Notice]:
    for example in nlu.examples:
        crossing = overlaps(example.entities)
        if crossing:
            first, second = (example.text[e.start : e.end] for e in crossing)
            yield Notice(
                f"the entities {first!r} and {second!r} overlap: keep one of them",
                example.place,
                example.intent or "",
                "error",
            )
        for entity in example.entities:
            text = example.text[entity.start : entity.end]
            if text != text.strip():
                yield Notice(
                    f"the entity {text!r} starts or ends with a space: leave it outside",
                    example.place,
                    example.intent or "",
                )


def _patterns(nlu: NluData) -> Iterator[Notice]:
    for name, patterns in nlu.regexes.items():
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                message = f"the pattern {pattern!r} is no regular expression: {error}"
                yield Notice(message, key=f"regex {name}", level="error")
            else:
                text = takes_too_long(pattern)
                if text is not None:
                    message = f"the pattern {pattern!r} takes too long on texts such as {text!r}"
                    yield Notice(f"{message}: it is given up there", key=f"regex {name}")


def _retrieval(nlu: NluData, domain: Domain) -> Iterator[Notice]:
    """Retrieval examples whose answer is missing, and answers that nothing asks for."""
    first: dict[str, Example] = {}
    for example in nlu.examples:
        if example.response:
            first.setdefault(example.response, example)
    for name, example in first.items():
        if f"utter_{name}" not in domain.responses:
            yield Notice(
                f"the retrieval intent {name!r} has no response: write `utter_{name}`",
                example.place,
                f"responses.utter_{name}",
                "error",
            )
