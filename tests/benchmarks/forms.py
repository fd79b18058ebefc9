"""A turn through rules, a form and its in-process action, early and late in a long conversation."""

import asyncio
import shutil
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from agent.actions.executor import Executor
from agent.actions.local import LocalActions
from agent.actions.speech import Speech
from agent.brain import ANSWER_ACTION, Brain
from agent.dialogue import Policies, Tracker, compile_policies
from agent.dialogue.names import ACTION_LISTEN
from agent.dialogue.repair import Repair
from agent.project import load_project
from agent.prompts.responses import DomainResponses
from agent.prompts.templates import load_templates
from agent.turn import Decision, Entity, IntentScore, Message, Understanding, new_id
from knowledge.project_folder import bundled_assistant

EVENTS = 1500
PEER_MS = 60.0
"""Rasa 3.6.21's turn in a form with an action server, on one core (its starter bot: 42 ms)."""
TALK = (
    ("send money", "transfer_money", None, None),
    ("Anna", "inform", "payee", "Anna"),
    ("12", "inform", "amount", "12"),
    ("from current", "inform", "account", "current"),
    ("no", "deny", None, None),
    ("hello", "greet", None, None),
)


def run(data: Path) -> dict[str, float]:
    """Milliseconds of a turn of the bundled assistant, what it understands given.

    `early_ms` is the median while the conversation has fewer than 150 events, `late_ms` after
    more than 1,000; `peer_over_late` is Rasa's 60 ms over `late_ms`.
    """
    with TemporaryDirectory() as folder:
        root = Path(shutil.copytree(bundled_assistant(), Path(folder) / "bank"))
        taken = asyncio.run(_converse(root))
    early = median(ms for events, ms in taken if events < 150)
    late = median(ms for events, ms in taken if events > 1000)
    return {
        "turns": len(taken),
        "early_ms": round(early, 2),
        "late_ms": round(late, 2),
        "late_over_early": round(late / early, 2),
        "peer_over_late": round(PEER_MS / late, 1),
    }


async def _converse(root: Path) -> list[tuple[int, float]]:
    """The number of events before each turn, and its milliseconds."""
    project = load_project(root)
    policies = Policies(project.domain, project.config.policies, compile_policies(project))
    custom = LocalActions(root)
    speech = Speech(DomainResponses(project.domain), load_templates(), None)
    repair = Repair(project.domain, policies, project.config, [ANSWER_ACTION])
    brain = Brain(
        "benchmark",
        project.domain,
        None,  # type: ignore[arg-type]  # what is understood is given
        policies,
        Executor(project.domain, speech, custom, take=repair.take),
        repair=repair,
    )
    tracker, taken = Tracker("benchmark", project.domain), []
    await brain.start_session(tracker, "benchmark")
    await custom.start()
    for heard in _messages():
        before, begun = len(tracker.events), perf_counter()
        if before > EVENTS:
            break
        await _answer(brain, tracker, heard)
        taken.append((before, (perf_counter() - begun) * 1000))
    await custom.close()
    return taken


async def _answer(brain: Brain, tracker: Tracker, heard: Understanding) -> None:
    await brain.hear(tracker, Message(new_id(), "benchmark", heard.text), heard)
    decisions: list[Decision] = []
    while not decisions or decisions[-1].action != ACTION_LISTEN:
        assert len(decisions) < 10
        decisions.append(brain.decide(tracker, heard, decisions))
        result = await brain.act(decisions[-1], tracker, heard, "benchmark")
        assert result.error is None
        assert result.error is None


def _messages() -> Iterator[Understanding]:
    for text, intent, label, value in cycle(TALK):
        at = text.find(value) if value else 0
        entities = (Entity(label, at, at + len(value), value, value),) if label and value else ()
        yield Understanding(text, (IntentScore(intent, 0.99),), entities)
