"""A small domain, a scripted action server and a scripted retriever."""

import random
from collections.abc import Mapping
from typing import Any

from agent.actions.executor import Executor
from agent.actions.knowledge import KnowledgeBase
from agent.actions.speech import Speech
from agent.actions.types import ActionServerReply
from agent.dialogue.events import ActionExecuted, Event, UserUttered
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain, Intent, ResponseVariation, SessionConfig, Slot
from agent.prompts.responses import DomainResponses
from agent.prompts.templates import load_templates
from knowledge.passage import Passage, ScoredPassage


class ScriptedActions:
    """Answers each action with its reply, or raises it."""

    def __init__(self, **replies: ActionServerReply | Exception) -> None:
        self.replies = replies
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        self.calls.append((name, {**tracker, "events": list(tracker["events"])}))
        reply = self.replies[name]
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def names(self) -> list[str]:
        return list(self.replies)

    async def close(self) -> None: ...


class ScriptedRetriever:
    """Finds one passage for each known question."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.queries: list[str] = []

    def search(self, query: str, *, limit: int = 5) -> list[ScoredPassage]:
        self.queries.append(query)
        text = self.texts.get(query)
        if text is None:
            return []
        return [ScoredPassage(Passage("p1", "fees.md", "Fees", text, 0, len(text)), 0.8)]


def domain(**changes: Any) -> Domain:
    values: dict[str, Any] = {
        "intents": {name: Intent(name) for name in ("greet", "check_balance", "nlu_fallback")}
        | {"faq": Intent("faq", is_retrieval=True)},
        "slots": {name: Slot(name, "text") for name in ("name", "city")},
        "responses": {
            "utter_greet": (ResponseVariation(text="Hello {name}!"),),
            "utter_faq/hours": (ResponseVariation(text="From 9 to 5."),),
        },
        "actions": (),
        "session": SessionConfig(),
    }
    return Domain(**{**values, **changes})


def heard(text: str, intent: str | None = None, **parse: Any) -> UserUttered:
    data: dict[str, Any] = {"text": text, "intent": {"name": intent, "confidence": 0.9}, **parse}
    return UserUttered(text=text, parse_data=data, input_channel="rest")


def tracker(of: Domain, *events: Event) -> Tracker:
    return Tracker("alice", of, [ActionExecuted(name="action_listen"), *events])


def executor(
    of: Domain, custom: ScriptedActions | None = None, retriever: ScriptedRetriever | None = None
) -> Executor:
    base = None
    if retriever is not None:
        base = KnowledgeBase(retriever, lambda question, passage: passage.text.split(". ")[0])
    speech = Speech(DomainResponses(of, random.Random(0)), load_templates(), base)
    return Executor(of, speech, custom)
