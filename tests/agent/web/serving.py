"""The application on a scripted assistant: real store, tracker and policies, no network."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from agent.actions.executor import Executor
from agent.actions.knowledge import KnowledgeBase
from agent.actions.speech import Speech
from agent.assemble import Assistant
from agent.brain import Brain, Brains
from agent.dialogue.policies import Policies, compile_policies
from agent.feedback.feed import CorrectionFeed
from agent.feedback.queue import ReviewQueue
from agent.feedback.service import Feedback
from agent.manager import DialogueManager
from agent.project.types import (
    ActionStep,
    Domain,
    Intent,
    Project,
    ProjectConfig,
    ResponseVariation,
    Rule,
    Slot,
    UserStep,
)
from agent.prompts.responses import DomainResponses
from agent.prompts.templates import load_templates
from agent.registry import Registry
from agent.settings import Settings, load_settings
from agent.storage.conversations import Conversations
from agent.storage.spool import Spool
from agent.storage.store import Store
from agent.turn import new_id
from agent.web.app import create_app
from agent.web.security.passwords import hash_password
from agent.web.services import Services, make_services
from tests.agent.actions.test_knowledge import Finds, Writes, first_sentence, passage
from tests.agent.scripted import ScriptedInterpreter, point_to

BUTTON = {"title": "My balance", "payload": '/balance{"account": "savings"}'}
SCRIPT = {"bye": "goodbye", "what is the fee now?": "nlu_fallback", BUTTON["payload"]: "balance"}
PASSWORD = "correct horse battery"  # a test's own


def project(root: Path) -> Project:
    """Three intents with their responses; greeting offers a button, in two paragraphs."""
    names = ("greet", "goodbye", "balance")
    rules = tuple(
        Rule(f"answer {name}", (UserStep(name), ActionStep(f"utter_{name}"))) for name in names
    )
    responses = {f"utter_{name}": (ResponseVariation(text=f"{name}!"),) for name in names}
    responses["utter_greet"] = (ResponseVariation(text="Hello!\n\nAnd now?", buttons=(BUTTON,)),)
    domain = Domain(
        intents={name: Intent(name) for name in names},
        responses=responses,
        slots={"city": Slot("city", "text")},
        raw={"version": "3.1", "intents": list(names), "responses": {}},
    )
    return Project(root, domain, rules=rules)


@dataclass
class Served:
    """A client of the application, and what stands behind it."""

    http: httpx2.AsyncClient
    app: FastAPI
    services: Services

    async def begin(self) -> tuple[str, dict[str, str]]:
        """A conversation's id and the headers that speak for it."""
        begun = (await self.http.post("/api/conversations")).json()
        return begun["conversation_id"], {"Authorization": f"Bearer {begun['token']}"}

    async def say(self, text: str, sender: str = "s1") -> list[dict[str, Any]]:
        """What the REST channel answers."""
        body = {"sender": sender, "message": text}
        answer = await self.http.post("/webhooks/rest/webhook", json=body)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def add_user(self, name: str, role: str = "reviewer") -> None:
        """Somebody who may sign in with `PASSWORD`."""
        await self.services.accounts.put(name, role, hash_password(PASSWORD))  # type: ignore[arg-type]
        self.services.access._has_users = None


@asynccontextmanager
async def serving(
    root: Path,
    *,
    loopback: bool = True,
    credentials: Mapping[str, Any] | None = None,
    server: Mapping[str, Any] | None = None,
) -> AsyncIterator[Served]:
    """Serve a scripted assistant; `server` are settings of that section."""
    settings = _settings(server or {})
    point_to(root, "m1")
    spool = Spool(root / ".agent" / "spool")
    async with await Store.open("embedded:", root, spool=spool, prefix=new_id()) as store:
        assistant = _assistant(root, settings, store)
        assistant.connections = ProjectConfig(credentials=credentials or {})
        await assistant.brains.current()
        services = make_services(assistant, loopback=loopback)
        app = create_app(services)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield Served(http, app, services)
        for close in services.closing:
            await close()


def answers_by(served: Served, *written: str) -> None:
    """Let a model answer by these texts what no intent covers, from one passage: Fee 8."""
    base = KnowledgeBase(Finds(passage(1, "Fee 8.")), first_sentence, generator=Writes(*written))
    served.services.assistant.brains.loaded.executor.speech.knowledge = base


def _settings(server: Mapping[str, Any]) -> Settings:
    settings = load_settings(None, {})
    changed = settings.server.model_copy(update=dict(server))
    return settings.model_copy(update={"server": changed})


def _assistant(root: Path, settings: Settings, store: Store) -> Assistant:
    registry = Registry(root)
    brains = Brains(registry, lambda: _brain(root), CorrectionFeed(store))
    conversations = Conversations(store)
    return Assistant(
        root,
        settings,
        DialogueManager(brains, conversations),
        store,
        Feedback(store, listeners=[lambda c: brains.loaded.remember(c)]),
        ReviewQueue(store, settings.feedback),
        registry,
        brains,
        conversations,
    )


def _brain(root: Path) -> Brain:
    made = project(root)
    policies = Policies(made.domain, made.config.policies, compile_policies(made))
    speech = Speech(DomainResponses(made.domain), load_templates(None), None)
    interpreter = ScriptedInterpreter(SCRIPT)
    return Brain("m1", made.domain, interpreter, policies, Executor(made.domain, speech))  # type: ignore[arg-type]
