"""Puts an assistant together from its folder and its settings; the one place that reads them."""

import asyncio
import difflib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.actions.executor import Executor
from agent.actions.knowledge import KnowledgeBase, spoken
from agent.actions.local import LocalActions
from agent.actions.speech import Speech
from agent.actions.types import CustomActions
from agent.brain import Brain, Brains
from agent.dialogue.learned import read_learned
from agent.dialogue.policies import Policies, PolicyData
from agent.errors import ActionError, ModelError
from agent.feedback.feed import CorrectionFeed
from agent.feedback.service import Feedback
from agent.manager import DialogueManager
from agent.model_folder import verify
from agent.project import load_connections
from agent.project.archive import read_project_archive
from agent.project.types import Domain, Project, ProjectConfig
from agent.prompts.responses import DomainResponses, ResponseSource
from agent.prompts.templates import Templates, load_templates
from agent.registry import ModelVersion, Registry
from agent.settings import Settings, load_settings
from agent.storage.conversations import Conversations
from agent.storage.opening import open_store
from agent.storage.store import Store
from agent.understanding.interpreter import Interpreter
from knowledge.passage import Passage, ScoredPassage
from knowledge.project_folder import find_project

PROJECT_FILE = "project.json"
POLICIES_FILE = "policies.json"
_CHECKED_AT_START = ("manifest.json", "understanding.json", PROJECT_FILE, POLICIES_FILE)


@dataclass(slots=True)
class Assistant:
    """A running assistant; `notices` are one-line things a person should know."""

    root: Path
    settings: Settings
    manager: DialogueManager
    store: Store
    feedback: Feedback
    registry: Registry
    brains: Brains
    conversations: Conversations
    notices: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the assistant is called: its folder's name."""
        return self.root.name

    @property
    def intents(self) -> tuple[str, ...]:
        """What a message may be corrected to: intents, retrieval intents by their keys."""
        brain = self.brains.loaded
        names = dict.fromkeys((*brain.interpreter.intents, *brain.domain.intents))
        keys = brain.interpreter.spec.responses
        parents = {key.partition("/")[0] for key in keys}
        return (*(name for name in names if name not in parents), *keys)

    def title(self, intent: str) -> str:
        """An intent's title for people, its name in words where it has none."""
        known = self.brains.loaded.domain.intents.get(intent)
        return known.title if known is not None and known.title else spoken(intent)

    def similar_intents(self, name: str) -> list[str]:
        """Up to three intents that are spelled like `name`."""
        return difflib.get_close_matches(name, self.intents, n=3)

    async def slots(self, conversation_id: str) -> Mapping[str, Any]:
        """The slots of a conversation as they stand."""
        domain = self.brains.loaded.domain
        return (await self.conversations.peek(conversation_id, domain)).slots


@asynccontextmanager
async def open_assistant(root: Path, settings: Settings) -> AsyncIterator[Assistant]:
    """Start an assistant: its store, its actions, its production model.

    Raises:
        StoreError: the store cannot be reached.
        ModelError: there is no usable model; run `agent train`.
        InputError: a prompt, an endpoint or a credential is wrong.
    """
    templates = load_templates(root)
    registry = Registry(root)
    knowledge = _knowledge_base(root, settings)
    connections = load_connections(root)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            await open_store(root, settings.store, require=False)
        )
        custom = _custom_actions(root, settings, connections, registry)
        if custom is not None:
            stack.push_async_callback(custom.close)
        nlg: ResponseSource | None = None
        if connections.nlg_endpoint is not None:
            from agent.prompts.nlg import NlgServer  # the HTTP client loads slowly

            server = NlgServer(connections.nlg_endpoint, settings.actions.timeout_s)
            stack.push_async_callback(server.close)
            nlg = server

        def load() -> Brain:
            return load_brain(registry, settings, templates, custom, knowledge, nlg)

        assistant = _join(root, settings, store, registry, load)
        if isinstance(custom, LocalActions):
            # The first action need not wait for the process; a fault shows when it is called.
            warming = asyncio.create_task(_warm(custom))
            stack.callback(warming.cancel)
        await assistant.brains.current()
        yield assistant


def _join(
    root: Path, settings: Settings, store: Store, registry: Registry, load: Callable[[], Brain]
) -> Assistant:
    mask = settings.feedback.mask_personal_data
    brains = Brains(registry, load, CorrectionFeed(store))
    conversations = Conversations(store, mask=mask)
    limits = settings.dialogue
    manager = DialogueManager(brains, conversations, limits.max_actions, limits.max_message_chars)
    # In this process a correction counts at once, also while Redis is away and it waits.
    feedback = Feedback(store, masking=mask, listeners=[lambda c: brains.loaded.remember(c)])
    return Assistant(root, settings, manager, store, feedback, registry, brains, conversations)


async def _warm(custom: LocalActions) -> None:
    with suppress(ActionError):
        await custom.start()


def load_brain(
    registry: Registry,
    settings: Settings,
    templates: Templates,
    custom: CustomActions | None,
    knowledge: KnowledgeBase | None,
    nlg: ResponseSource | None = None,
) -> Brain:
    """The parts of the production model.

    Raises:
        ModelError: there is none, or its folder is truncated or tampered with.
    """
    version = registry.production()
    if version is None:
        raise ModelError("there is no model in production: run `agent train`")
    verify(version.path, _CHECKED_AT_START)
    project, policies = read_policies(version.path)
    interpreter = Interpreter.load(
        version.path, memory=settings.memory, threads=settings.understanding.threads
    )
    speech = Speech(nlg or DomainResponses(project.domain), templates, knowledge)
    return Brain(
        model_version=version.id,
        domain=project.domain,
        interpreter=interpreter,
        policies=policies,
        executor=Executor(project.domain, speech, custom),
        learned=_learned(version),
    )


def read_policies(folder: Path) -> tuple[Project, Policies]:
    """The archived project of a model folder and its policies, ready to decide.

    Raises:
        ModelError: a file is missing, damaged or of another format.
    """
    try:
        project = read_project_archive((folder / PROJECT_FILE).read_text(encoding="utf-8"))
        data = TypeAdapter(PolicyData).validate_json((folder / POLICIES_FILE).read_bytes())
    except (OSError, ValidationError, ValueError) as error:
        raise ModelError(
            f"{folder}: {PROJECT_FILE} or {POLICIES_FILE} cannot be read ({error}); "
            "run `agent train` to make the model again"
        ) from error
    learned = read_learned(folder)
    return project, Policies(project.domain, project.config.policies, data, learned)


def load_interpreter(project: Path | None, model: Path | None) -> Interpreter:
    """Understanding alone: a model folder's, or the production model of a project.

    Raises:
        ModelError: there is no usable model.
    """
    if model is not None:
        return Interpreter.load(model)
    root = find_project(project)
    version = Registry(root).production()
    if version is None:
        raise ModelError(f"{root} has no model in production: run `agent train`")
    return Interpreter.load(version.path, threads=load_settings(root).understanding.threads)


def _learned(version: ModelVersion) -> frozenset[str]:
    return frozenset(version.manifest.get("learned", ()))


def _custom_actions(
    root: Path, settings: Settings, connections: ProjectConfig, registry: Registry
) -> CustomActions | None:
    """The action server of `endpoints.yml`, else the project's own actions, else none."""
    timeout_s = settings.actions.timeout_s
    version = registry.production()
    if connections.action_endpoint is not None:
        from agent.actions.remote import RemoteActions  # the HTTP client loads slowly

        domain = read_policies(version.path)[0].domain if version is not None else Domain()
        # Rasa's own switch, so that a deployment's environment keeps its meaning.
        compress = os.environ.get("COMPRESS_ACTION_SERVER_REQUEST", "").lower() == "true"
        return RemoteActions(
            connections.action_endpoint,
            timeout_s,
            send_domain=domain.send_domain,
            compress=compress,
        )
    local = LocalActions(root, timeout_s)
    return local if local.available else None


def _knowledge_base(root: Path, settings: Settings) -> KnowledgeBase | None:
    """What questions are answered from; None where the project has no knowledge folder."""
    if not (root / "knowledge").is_dir():
        return None
    searcher = LazyRetriever(root / ".agent" / "knowledge", settings.knowledge.floor)
    return KnowledgeBase(searcher, searcher.best_sentences, settings.knowledge.passages)


@dataclass(slots=True)
class LazyRetriever:
    """Opens the knowledge index when it is first searched, and again when it was rebuilt."""

    folder: Path
    floor: float | None = None
    _retriever: Any = None

    def search(self, query: str, *, limit: int = 5) -> list[ScoredPassage]:
        """The passages that fit the query, best first; nothing below the floor."""
        found: list[ScoredPassage] = self._open().search(query, limit=limit)
        return found

    def best_sentences(self, question: str, passage: Passage) -> str:
        """The sentences of a passage that answer the question."""
        from knowledge.answer import best_sentences

        return best_sentences(question, passage, self._open().encoder)

    def _open(self) -> Any:
        if self._retriever is None:
            # faiss and the encoder are loaded by the first question that needs them.
            from knowledge.retriever import open_retriever

            self._retriever = open_retriever(self.folder, floor=self.floor)
        return self._retriever
