"""Short words for conversations: domains, steps, events, and a bot that acts by its policies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.actions.types import ActionResult
from agent.dialogue import Policies, Tracker, action_events, compile_policies
from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActiveLoop,
    BotUttered,
    Event,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from agent.project.types import (
    ActionStep,
    Domain,
    EntityType,
    Form,
    Intent,
    PolicyConfig,
    Project,
    ProjectConfig,
    Rule,
    Slot,
    SlotMapping,
    Story,
    UserStep,
)


def domain(
    *,
    intents: Sequence[str] = ("greet", "bye", "order", "inform", "chitchat", "stop"),
    slots: Mapping[str, Slot] | None = None,
    forms: Sequence[Form] = (),
    actions: Sequence[str] = (),
    responses: Sequence[str] = ("utter_greet", "utter_bye", "utter_chitchat", "utter_done"),
    **more: Any,
) -> Domain:
    """A domain of a pizza shop; `city` and `size` are its entities."""
    return Domain(
        intents={name: Intent(name) for name in intents},
        entities={name: EntityType(name) for name in ("city", "size")},
        slots=slots or {},
        forms={form.name: form for form in forms},
        actions=tuple(actions),
        responses=dict.fromkeys(responses, ()),
        **more,
    )


def from_entity(name: str, **more: Any) -> SlotMapping:
    """A slot mapping from an entity."""
    return SlotMapping("from_entity", entity=name, **more)


def project(
    dom: Domain,
    *,
    rules: Sequence[Rule] = (),
    stories: Sequence[Story] = (),
    **config: Any,
) -> Project:
    """A project with these rules and stories; `config` goes into its PolicyConfig."""
    policies = ProjectConfig(policies=PolicyConfig(**config))
    return Project(Path(), dom, stories=tuple(stories), rules=tuple(rules), config=policies)


def steps(*words: str) -> tuple[UserStep | ActionStep, ...]:
    """Steps from words: `?greet` is an intent, anything else an action."""
    return tuple(UserStep(w[1:]) if w.startswith("?") else ActionStep(w) for w in words)


def story(name: str, *words: str) -> Story:
    """A story from words (see steps)."""
    return Story(name, steps(*words))


def rule(name: str, *words: str, **more: Any) -> Rule:
    """A rule from words (see steps)."""
    return Rule(name, steps(*words), **more)


def policies_of(given: Project) -> Policies:
    """The project's policies, compiled."""
    return Policies(given.domain, given.config.policies, compile_policies(given))


def says(intent: str | None, text: str = "hello", **entities: Any) -> UserUttered:
    """A user message."""
    found = [{"entity": name, "value": value} for name, value in entities.items()]
    parse_data = {"intent": {"name": intent, "confidence": 0.9}, "entities": found, "text": text}
    return UserUttered(timestamp=1.0, text=text, parse_data=parse_data, input_channel="test")


def ran(name: str, **more: Any) -> ActionExecuted:
    """An action that ran."""
    return ActionExecuted(timestamp=1.0, name=name, **more)


def listened() -> ActionExecuted:
    """The assistant listens."""
    return ran("action_listen")


def loop(name: str | None) -> ActiveLoop:
    """A loop becomes active or ends."""
    return ActiveLoop(timestamp=1.0, name=name)


def slot(name: str, value: Any) -> SlotSet:
    """A slot is set."""
    return SlotSet(timestamp=1.0, name=name, value=value)


def declined(name: str) -> ActionExecutionRejected:
    """An action declined to run."""
    return ActionExecutionRejected(timestamp=1.0, name=name)


class Bot:
    """Acts by its policies until it listens; `effects` say what actions do (else nothing)."""

    def __init__(self, given: Project, effects: Mapping[str, Sequence[Event]] | None = None):
        self.policies, self.domain = policies_of(given), given.domain
        self.effects = effects or {}
        self.tracker = Tracker("test", given.domain)
        self.act()

    def hear(self, intent: str | None, text: str = "hello", **entities: Any) -> list[str]:
        """Take in a message and answer: the names of the actions before listening."""
        self.tracker.append(says(intent, text, **entities))
        return self.act()

    def act(self) -> list[str]:
        """Run actions until it listens."""
        done: list[str] = []
        for _ in range(10):
            decision = self.policies.decide(self.tracker)
            events: list[Event] = list(self.effects.get(decision.action, ()))
            if decision.action == "action_default_fallback":
                events = [UserUtteranceReverted(timestamp=1.0)]
            if decision.action in self.domain.forms and self.tracker.active_loop is None:
                events = [loop(decision.action), *events]
            self.tracker.extend(action_events(decision, events, self.domain))
            if decision.action == "action_listen":
                break
            done.append(decision.action)
        return done


class Actions:
    """Scripted actions: each name's results in order, the last again; what was called."""

    def __init__(self, **results: Any) -> None:
        self.results = {name: self._each(result) for name, result in results.items()}
        self.called: list[str] = []
        self.seen: list[Tracker] = []

    @staticmethod
    def _each(result: Any) -> list[Any]:
        return list(result) if isinstance(result, list) else [result]

    async def __call__(self, name: str, tracker: Tracker) -> ActionResult:
        """Run an action as the script says; a response says its own name."""
        self.called.append(name)
        self.seen.append(tracker)
        queue = self.results.get(name)
        if queue is None:
            return ActionResult(events=(BotUttered(timestamp=1.0, text=name),))
        result = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(result, Exception):
            raise result
        return result if isinstance(result, ActionResult) else ActionResult(events=tuple(result))
