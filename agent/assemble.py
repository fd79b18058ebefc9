"""Puts an assistant together from its folder and its settings; the one place that reads them."""

import asyncio
import difflib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.actions.executor import Executor
from agent.actions.knowledge import KnowledgeBase
from agent.actions.local import LocalActions
from agent.actions.recommend import RecommendActions
from agent.actions.speech import Speech
from agent.actions.suggestions import title_of
from agent.actions.types import CustomActions
from agent.brain import ANSWER_ACTION, Brain, Brains
from agent.dialogue.extraction import as_extracted
from agent.dialogue.learned import read_learned
from agent.dialogue.names import BUILTIN_INTENTS
from agent.dialogue.policies import Policies, PolicyData
from agent.dialogue.repair import Repair
from agent.dialogue.tracker import Tracker
from agent.errors import ActionError, ModelError, StoreError
from agent.feedback.feed import CorrectionFeed, learned_by, remember
from agent.feedback.opinions import consult
from agent.feedback.queue import ReviewQueue
from agent.feedback.service import Feedback
from agent.generation import Generation, open_generation
from agent.manager import DialogueManager
from agent.model_folder import verify
from agent.project import load_connections
from agent.project.archive import read_project_archive
from agent.project.types import Domain, Endpoint, Project, ProjectConfig
from agent.prompts.responses import DomainResponses, ResponseSource
from agent.prompts.templates import Templates, load_templates
from agent.recommend.service import Recommendations
from agent.registry import ModelVersion, Registry
from agent.settings import Settings, load_settings
from agent.storage.conversations import Conversations
from agent.storage.opening import has_store, open_store
from agent.storage.store import Store
from agent.trial import Trial
from agent.understanding.interpreter import Interpreter
from agent.understanding.memory import CorrectionMemory
from knowledge.options import KnowledgeOptions
from knowledge.passage import Passage, ScoredPassage
from knowledge.project_folder import find_project

_log = logging.getLogger(__name__)
PROJECT_FILE = "project.json"
POLICIES_FILE = "policies.json"
_CHECKED_AT_START = ("manifest.json", "understanding.json", PROJECT_FILE, POLICIES_FILE)


@dataclass(slots=True)
class Assistant:
    """A running assistant; `notices` are one-line things a person should know.

    `connections` are its endpoints and the credentials of its channels; `recommendations`
    suggests the items of its `items.jsonl`; `generation` is what its language model does.
    """

    root: Path
    settings: Settings
    manager: DialogueManager
    store: Store
    feedback: Feedback
    queue: ReviewQueue
    registry: Registry
    brains: Brains
    conversations: Conversations
    connections: ProjectConfig = field(default_factory=ProjectConfig)
    recommendations: Recommendations | None = None
    generation: Generation = field(default_factory=Generation)
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
        return title_of(intent, self.brains.loaded.domain)

    def similar_intents(self, name: str) -> list[str]:
        """Up to three intents that are spelled like `name`."""
        return difflib.get_close_matches(name, self.intents, n=3)

    async def tracker(self, conversation_id: str) -> Tracker:
        """A conversation as it stands, for reading only."""
        return await self.conversations.peek(conversation_id, self.brains.loaded.domain)

    async def slots(self, conversation_id: str) -> Mapping[str, Any]:
        """The slots of a conversation as they stand."""
        return (await self.tracker(conversation_id)).slots


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
    generation = open_generation(root, settings.generator, templates)
    knowledge = _knowledge_base(root, settings, generation)
    connections = load_connections(root)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(generation.close)
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

        recommendations = Recommendations(root, store, settings.knowledge.encoder)

        def load() -> Brain:
            return load_brain(
                registry,
                settings,
                templates,
                custom,
                knowledge,
                nlg,
                generation=generation,
                recommendations=recommendations,
            )

        assistant = _join(root, settings, store, registry, load)
        assistant.recommendations = recommendations
        assistant.connections = connections
        assistant.generation = generation
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
    trained = registry.version
    brains.trial = Trial(registry, lambda model: _interpreter(_sound(trained(model)), settings))
    names = settings.feedback.names
    conversations = Conversations(store, mask=mask, names=names)
    limits = settings.dialogue
    manager = DialogueManager(brains, conversations, limits.max_actions, limits.max_message_chars)
    # In this process a correction counts at once, also while Redis is away and it waits.
    listeners = [lambda c: brains.loaded.remember(c)]
    quota = settings.feedback.daily_quota
    feedback = Feedback(store, masking=mask, names=names, listeners=listeners, daily_quota=quota)
    queue = ReviewQueue(
        store,
        settings.feedback,
        consult=lambda texts: consult(brains.loaded.interpreter, texts),
        intents=lambda: assistant.intents,
        listeners=listeners,
    )
    assistant = Assistant(
        root, settings, manager, store, feedback, queue, registry, brains, conversations
    )
    return assistant


async def _warm(custom: LocalActions) -> None:
    with suppress(ActionError):
        await custom.start()


def _sound(version: ModelVersion) -> Path:
    """A version's folder; raises ModelError where it is truncated or tampered with."""
    verify(version.path, _CHECKED_AT_START)
    return version.path


def _interpreter(folder: Path, settings: Settings, domain: Domain | None = None) -> Interpreter:
    """The understanding of a model folder, for the domain that is archived in it.

    Raises:
        ModelError: the folder cannot be used.
    """
    domain = domain or read_policies(folder)[0].domain
    return Interpreter.load(
        folder,
        memory=settings.memory,
        device=settings.understanding.device,
        threads=settings.understanding.threads,
        names=settings.feedback.names,
        declared=frozenset((*domain.intents, *BUILTIN_INTENTS)),
    )


def load_brain(
    registry: Registry,
    settings: Settings,
    templates: Templates,
    custom: CustomActions | None,
    knowledge: KnowledgeBase | None,
    nlg: ResponseSource | None = None,
    *,
    generation: Generation | None = None,
    recommendations: Recommendations | None = None,
) -> Brain:
    """The parts of the production model.

    Raises:
        ModelError: there is none, or its folder is truncated or tampered with.
    """
    version = registry.production()
    if version is None:
        raise ModelError("there is no model in production: run `agent train`")
    folder = _sound(version)
    project, policies = read_policies(folder)
    interpreter = _interpreter(folder, settings, project.domain)
    generation = generation or Generation()
    responses = generation.reword(nlg or DomainResponses(project.domain))
    speech = Speech(responses, templates, knowledge)
    repair = None
    if settings.dialogue.repair:
        repair = Repair(project.domain, policies, project.config, [ANSWER_ACTION])
    take = as_extracted if repair is None else repair.take
    suggesting = None
    if recommendations is not None and recommendations.available:
        suggesting = RecommendActions(recommendations, templates, project.domain)
    return Brain(
        model_version=version.id,
        domain=project.domain,
        interpreter=interpreter,
        policies=policies,
        executor=Executor(project.domain, speech, custom, suggesting, take=take),
        learned=learned_by(version.manifest),
        repair=repair,
        proposer=generation.proposer,
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
        verify(model, names=())
        return Interpreter.load(model)
    root = find_project(project)
    version = Registry(root).production()
    if version is None:
        raise ModelError(f"{root} has no model in production: run `agent train`")
    wanted = load_settings(root).understanding
    verify(version.path, names=())
    return Interpreter.load(version.path, device=wanted.device, threads=wanted.threads)


def load_taught_interpreter(project: Path | None) -> Interpreter:
    """A project's understanding as its turns have it: with the accepted corrections.

    Where the store cannot be had the model speaks alone, and a warning says so.

    Raises:
        ModelError: there is no usable model.
    """
    root = find_project(project)
    settings = load_settings(root)
    registry = Registry(root)
    version = registry.production()
    if version is None:
        raise ModelError(f"{root} has no model in production: run `agent train`")
    interpreter = _interpreter(_sound(version), settings)
    if interpreter.memory is not None and has_store(root, settings.store):
        try:
            asyncio.run(_recall(root, settings, interpreter.memory, version))
        except StoreError as error:
            _log.warning("corrections do not count: %s", error)
    return interpreter


async def _recall(
    root: Path, settings: Settings, memory: CorrectionMemory, version: ModelVersion
) -> None:
    learned = learned_by(version.manifest)
    async with await open_store(root, settings.store, require=False) as store:
        await CorrectionFeed(store).refresh(lambda one: remember(memory, one, learned))


def _custom_actions(
    root: Path, settings: Settings, connections: ProjectConfig, registry: Registry
) -> CustomActions | None:
    """The action server of `endpoints.yml`, else the project's own actions, else none."""
    timeout_s = settings.actions.timeout_s
    version = registry.production()
    if connections.action_endpoint is not None:
        domain = read_policies(version.path)[0].domain if version is not None else Domain()
        return _action_server(connections.action_endpoint, timeout_s, domain)
    local = LocalActions(root, timeout_s)
    return local if local.available else None


def _action_server(endpoint: Endpoint, timeout_s: float, domain: Domain) -> CustomActions:
    """The client of an action server; each protocol's library loads slowly."""
    if endpoint.url.startswith(("grpc://", "grpcs://")):
        from agent.actions.grpc_client import GrpcActions

        return GrpcActions(endpoint, timeout_s, send_domain=domain.send_domain)
    from agent.actions.remote import RemoteActions

    # Rasa's own switch, so that a deployment's environment keeps its meaning.
    compress = os.environ.get("COMPRESS_ACTION_SERVER_REQUEST", "").lower() == "true"
    return RemoteActions(endpoint, timeout_s, send_domain=domain.send_domain, compress=compress)


def _knowledge_base(root: Path, settings: Settings, generation: Generation) -> KnowledgeBase | None:
    """What questions are answered from; None where the project has no knowledge folder."""
    if not (root / "knowledge").is_dir():
        return None
    searcher = LazyRetriever(root, settings.knowledge.options())
    return KnowledgeBase(
        searcher,
        searcher.best_sentences,
        settings.knowledge.passages,
        generator=generation.answers,
        rewrite=settings.knowledge.rewrite,
    )


@dataclass(slots=True)
class LazyRetriever:
    """Opens the knowledge index when it is first searched, and again when it was rebuilt."""

    root: Path
    options: KnowledgeOptions
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
            from knowledge.open_project import open_project_retriever

            self._retriever = open_project_retriever(self.root, self.options)
        return self._retriever
