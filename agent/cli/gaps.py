"""`agent knowledge gaps`: what was asked and not answered, similar questions together."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.opened import open_store
from agent.cli.options import JsonOption, ProjectOption
from agent.feedback.gaps import Gap, Question, ask, group, look_up, unanswered
from agent.settings import load_settings
from knowledge.options import KnowledgeOptions
from knowledge.project_folder import find_project

if TYPE_CHECKING:
    from knowledge.encoder import Encoder

_BATCH = 500
_SHOWN_QUESTIONS = 4


def register(knowledge: typer.Typer) -> None:
    """Add the command to the group `knowledge`."""
    knowledge.command("gaps")(gaps)


def gaps(
    project: ProjectOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many gaps at most.")] = 20,
    turns: Annotated[int, typer.Option(min=1, help="How many of the latest turns to read.")] = 5000,
    as_json: JsonOption = False,
) -> None:
    """List the questions that nothing answered, similar ones together, the most frequent first.

    Example: agent knowledge gaps --limit 10
    """
    root = find_project(project)
    found = _group(root, asyncio.run(_unanswered(root, turns)))[:limit]
    if as_json:
        sys.stdout.write(json.dumps([_as_json(gap) for gap in found], ensure_ascii=False) + "\n")
        return
    if not found:
        sys.stdout.write("Every question that is in the turn log was answered.\n")
    for gap in found:
        first, *others = gap.questions
        sys.stdout.write(f"{gap.count:>4}  {_line(first.text)}\n")
        for question in others[: _SHOWN_QUESTIONS - 1]:
            sys.stdout.write(f"      {_line(question.text)}\n")
        if len(others) >= _SHOWN_QUESTIONS:
            sys.stdout.write(f"      … and {len(others) - _SHOWN_QUESTIONS + 1} more\n")


async def _unanswered(root: Path, limit: int) -> list[dict[str, Any]]:
    """The unanswered ones of the latest turns, latest first."""
    found: list[dict[str, Any]] = []
    after = None
    async with open_store(root) as store:
        while limit > 0:
            part = await store.turns(limit=min(_BATCH, limit), after=after)
            found += [turn for turn in part if unanswered(turn)]
            if len(part) < min(_BATCH, limit):
                break
            after, limit = part[-1]["position"], limit - len(part)
    return found


def _group(root: Path, turns: list[dict[str, Any]]) -> list[Gap]:
    """The gaps that the knowledge does not fill by now; what it fills is told on stderr."""
    if not turns:
        return []
    from knowledge.convert import encoder_folder
    from knowledge.encoder import Encoder

    settings = load_settings(root)
    encoder = Encoder.load(encoder_folder(settings.knowledge.encoder))
    asked = ask(turns)
    if settings.generator.kind == "none" or not settings.generator.answers:
        asked = _waiting(root, asked, settings.knowledge.options(), encoder)
    return group(asked, encoder.encode)


def _waiting(
    root: Path, asked: list[Question], options: KnowledgeOptions, encoder: "Encoder"
) -> list[Question]:
    """The questions for which the knowledge base has nothing; all of them without an index."""
    from knowledge.open_project import has_index, open_project_retriever

    if not has_index(root):
        return asked
    found = look_up(asked, open_project_retriever(root, options, encoder=encoder).search)
    waiting = [question for question in found if not question.found]
    if filled := len(found) - len(waiting):
        are = "question is" if filled == 1 else "questions are"
        sys.stderr.write(f"agent: {filled} further {are} answered meanwhile\n")
    return waiting


def _line(text: str) -> str:
    return " ".join(text.split())[:150]


def _as_json(gap: Gap) -> dict[str, Any]:
    return {
        "count": gap.count,
        "questions": [
            {
                "text": question.text,
                "count": question.count,
                "conversation_id": question.conversation_id,
                "turn_id": question.turn_id,
                "at": question.at,
            }
            for question in gap.questions
        ],
    }
