"""A scripted assistant: real tracker, policies and executor, an interpreter with a script."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from agent.actions.executor import Executor
from agent.actions.speech import Speech
from agent.brain import Brain, Brains
from agent.dialogue.policies import Policies, compile_policies
from agent.feedback.feed import CorrectionFeed
from agent.manager import DialogueManager
from agent.project.types import (
    ActionStep,
    Domain,
    Intent,
    Project,
    ResponseVariation,
    Rule,
    UserStep,
)
from agent.prompts.responses import DomainResponses
from agent.prompts.templates import load_templates
from agent.registry import Registry
from agent.storage.conversations import Conversations
from agent.storage.spool import Spool
from agent.storage.store import Store
from agent.turn import IntentScore, Message, Understanding, new_id
from agent.understanding.explain import Explanation
from agent.understanding.memory import CorrectionMemory

INTENTS = ("greet", "goodbye", "balance")


def project(root: Path) -> Project:
    """Three intents, each answered by its response."""
    rules = tuple(
        Rule(f"answer {name}", (UserStep(name), ActionStep(f"utter_{name}"))) for name in INTENTS
    )
    responses = {f"utter_{name}": (ResponseVariation(text=f"{name}!"),) for name in INTENTS}
    domain = Domain(intents={name: Intent(name) for name in INTENTS}, responses=responses)
    return Project(root, domain, rules=rules)


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Unit vectors by the letters of a text, so that like texts are near each other."""
    rows = np.zeros((len(texts), 128), dtype=np.float32)
    for row, text in enumerate(texts):
        for char in text:
            rows[row, ord(char) % 128] += 1
    unit: npt.NDArray[np.float32] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-6
    )
    return unit


@dataclass
class ScriptedInterpreter:
    """Understands a text as the intent it is scripted to, else as `greet`."""

    script: Mapping[str, str]
    memory: CorrectionMemory = field(default_factory=lambda: CorrectionMemory(encode=encode))

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        """One understanding a text, the correction memory included."""
        return [self._one(text) for text in texts]

    @property
    def intents(self) -> tuple[str, ...]:
        """What it may understand."""
        return INTENTS

    @property
    def spec(self) -> SimpleNamespace:
        """A model without retrieval intents."""
        return SimpleNamespace(responses=())

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors (n, 128)."""
        return encode(texts)

    def explain(self, text: str) -> Explanation:
        """Nothing: a script has no reasons."""
        return Explanation(None)

    def _one(self, text: str) -> Understanding:
        heard = Understanding(text, (IntentScore(self.script.get(text, "greet"), 0.9),))
        return self.memory.adjust(heard, encode([text])[0])


@dataclass
class Scripted:
    """A scripted assistant's parts."""

    manager: DialogueManager
    store: Store
    brains: Brains
    registry: Registry

    async def say(self, text: str, conversation: str = "c1") -> list[str | None]:
        """The texts of the replies to a message."""
        turn = await self.manager.handle(Message(new_id(), conversation, text))
        return [reply.text for reply in turn.replies]


def scripted_brain(root: Path, script: Mapping[str, str], version: str = "m1") -> Brain:
    """A brain of the little project."""
    made = project(root)
    policies = Policies(made.domain, made.config.policies, compile_policies(made))
    speech = Speech(DomainResponses(made.domain), load_templates(None), None)
    interpreter = ScriptedInterpreter(script)
    return Brain(version, made.domain, interpreter, policies, Executor(made.domain, speech))  # type: ignore[arg-type]


@asynccontextmanager
async def scripted_assistant(
    root: Path, script: Mapping[str, str], url: str = "embedded:", *, prefix: str | None = None
) -> AsyncIterator[Scripted]:
    """Start a scripted assistant on a real store; its production model is a name only."""
    registry = Registry(root)
    point_to(root, "m1")
    spool = Spool(root / ".agent" / "spool")
    store = await Store.open(url, root, spool=spool, prefix=prefix or new_id())

    def load() -> Brain:
        return scripted_brain(root, script, registry.production_id() or "none")

    async with store:
        brains = Brains(registry, load, CorrectionFeed(store))
        manager = DialogueManager(brains, Conversations(store))
        yield Scripted(manager, store, brains, registry)


def point_to(root: Path, version: str) -> None:
    """Let the production pointer name a version."""
    (root / "models").mkdir(exist_ok=True)
    # Two processes of one test may point at once: each writes a file of its own.
    temporary = root / "models" / f".pointer-{new_id()}"
    temporary.write_text(version)
    temporary.replace(root / "models" / "production")


def with_decider(brain: Brain, policies: object) -> Brain:
    """The brain with other policies."""
    return replace(brain, policies=policies)  # type: ignore[arg-type]
