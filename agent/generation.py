"""Puts together what a project's language model does; nothing where it has none."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import GeneratorError, InputError
from agent.prompts.budget import DailyBudget
from agent.prompts.generator import Generator
from agent.prompts.responses import ResponseSource
from agent.prompts.resting import RestingGenerator
from agent.prompts.rewording import RewordedResponses
from agent.prompts.templates import Templates
from agent.settings import GeneratorSettings
from agent.understanding.proposals import Proposer
from agent.understanding.track_record import TrackRecord

if TYPE_CHECKING:
    from agent.prompts.local_generator import TransformersGenerator

CALLS_FILE = "generator_calls.json"
PROPOSALS_FILE = "proposals.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Generation:
    """The parts that ask a language model; each is None where it is not to be asked.

    `reword` makes a source of responses one that says them in other words; `local` is the model
    if it runs in this process.
    """

    generator: Generator | None = None
    answers: Generator | None = None
    proposer: Proposer | None = None
    reword: Callable[[ResponseSource], ResponseSource] = lambda responses: responses
    local: "TransformersGenerator | None" = None

    async def warm(self) -> None:
        """Load a local model, so that the first user need not wait for it; says what is wrong."""
        if self.local is None:
            return
        try:
            await self.local.load()
        except GeneratorError as error:
            _log.error("the language model cannot be used: %s", error)

    async def close(self) -> None:
        """Let go of the model."""
        if self.generator is not None:
            await self.generator.close()


def open_generation(root: Path, settings: GeneratorSettings, templates: Templates) -> Generation:
    """What a project's settings say about its language model.

    Raises:
        InputError: a generator is set without a model, or with a folder that is none.
    """
    check_generator(settings)
    if settings.kind == "none":
        return Generation()
    local = _local(settings) if settings.kind == "transformers" else None
    model = local or _remote(settings)
    # A model too slow for proposals may still be quick enough for answers.
    generator = RestingGenerator(model)
    quick = RestingGenerator(model, limit_s=settings.proposal_timeout_s)
    budget = DailyBudget(root / ".agent" / CALLS_FILE, settings.daily_calls)
    proposer = Proposer(
        quick,
        templates,
        TrackRecord(root / ".agent" / PROPOSALS_FILE, model=f"{settings.kind} {settings.model}"),
        # What is refused at once costs nothing.
        lambda: not quick.rests and budget.take(),
        settings.least_trust,
    )
    return Generation(
        generator,
        generator if settings.answers else None,
        proposer if settings.understanding else None,
        lambda responses: RewordedResponses(
            responses,
            generator,
            templates,
            allowed=lambda: not generator.rests and budget.take(),
            everything=settings.rephrase,
        ),
        local,
    )


def check_generator(settings: GeneratorSettings) -> None:
    """Raises InputError if the settings name no language model, or a folder that is none."""
    if settings.kind == "none":
        return
    if not settings.model:
        raise InputError("names no model; a generator needs one", key="generator.model")
    if settings.kind == "transformers":
        folder = Path(settings.model).expanduser()
        if settings.model.startswith(("/", ".", "~")) and not folder.is_dir():
            raise InputError(f"there is no folder {folder}", key="generator.model")
        if folder.is_dir() and not (folder / "config.json").is_file():
            raise InputError(f"{folder} holds no model: no config.json", key="generator.model")


def _local(settings: GeneratorSettings) -> "TransformersGenerator":
    from agent.prompts.local_generator import TransformersGenerator

    folder = Path(settings.model).expanduser()
    return TransformersGenerator(
        str(folder) if folder.is_dir() else settings.model,
        timeout_s=settings.timeout_s,
        max_tokens=settings.max_tokens,
    )


def _remote(settings: GeneratorSettings) -> Generator:
    from agent.prompts.openai_generator import OpenAIGenerator  # the HTTP client loads slowly

    return OpenAIGenerator(
        settings.url,
        settings.model,
        api_key=settings.api_key,
        timeout_s=settings.timeout_s,
        max_tokens=settings.max_tokens,
    )
