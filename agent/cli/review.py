"""`agent feedback queue|judge|undo`: the review queue in a terminal."""

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from agent.cli.new_intent import known_intents
from agent.cli.opened import open_store
from agent.cli.options import JsonOption, ProjectOption
from agent.cli.tables import table_console
from agent.display import visible
from agent.errors import InputError, ModelError
from agent.feedback.correction_json import entity_to_dict
from agent.feedback.folding import Opinion
from agent.feedback.queue import ReviewQueue
from agent.feedback.queue_item import VERDICTS, Judgement, QueueItem
from agent.registry import Registry
from agent.settings import load_settings
from knowledge.project_folder import find_project

T = TypeVar("T")
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="The item, or how it begins.")]


def queue(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 20,
    search: Annotated[str, typer.Option("--search", metavar="WORDS", help="What to find.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is most worth a look, best first: messages, why they are here, how many.

    Example: agent feedback queue --limit 10
    """

    async def read(queue: ReviewQueue) -> list[QueueItem]:
        await queue.refresh()
        return await queue.items(search=search, limit=limit)

    items = with_queue(find_project(project), read)
    if as_json:
        _print_json([summary(item) for item in items])
    elif items:
        table_console().print(_table(items))
    else:
        sys.stdout.write("Nothing waits for review.\n")


def judge(
    item: ItemArgument,
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help="right, correct, reject, skip")],
    intent: Annotated[
        str | None, typer.Option("--intent", metavar="I", help="What it means.", show_default=False)
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer", metavar="A", help="What to say.", show_default=False)
    ] = None,
    new_intent: Annotated[
        bool, typer.Option("--new-intent", help="The intent is meant to be new.")
    ] = False,
    all_wordings: Annotated[
        bool, typer.Option("--all", help="For its near-duplicates as well.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge an item of the queue; it counts from the next message on.

    Example: agent feedback judge 3f2a correct --intent block_card --all
    """
    if verdict not in VERDICTS:
        raise InputError(f"unknown verdict {verdict!r}: use one of {', '.join(VERDICTS)}")
    said = Judgement(verdict, intent, None, answer, reason, new_intent)

    async def decide(queue: ReviewQueue) -> QueueItem:
        found = await _find(queue, item)
        texts = found.texts[1:] if all_wordings else ()
        return await queue.decide(found.id, _user(), said, texts=texts)

    _print_done(with_queue(find_project(project), decide), as_json)


def undo(item: ItemArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Take your last verdict on an item back, with all that it did.

    Example: agent feedback undo 3f2a
    """

    async def take_back(queue: ReviewQueue) -> QueueItem:
        return await queue.undo((await _find(queue, item)).id, _user())

    _print_done(with_queue(find_project(project), take_back), as_json)


def with_queue(root: Path, work: Callable[[ReviewQueue], Awaitable[T]]) -> T:
    """Run a piece of work with the project's review queue."""

    async def run() -> T:
        settings = load_settings(root).feedback
        async with open_store(root) as store:
            consult = _Consultant(root)
            return await work(
                ReviewQueue(store, settings, consult=consult, intents=lambda: known_intents(root))
            )

    return asyncio.run(run())


class _Consultant:
    """The serving model, loaded when a new message is to be compared with others."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, texts: Sequence[str]) -> list[Opinion]:
        from agent.feedback.opinions import consult
        from agent.understanding.interpreter import Interpreter

        version = Registry(self._root).production()
        if version is None:
            raise ModelError("there is no model in production: run `agent train`")
        return consult(Interpreter.load(version.path), texts)


def summary(item: QueueItem) -> dict[str, Any]:
    """An item as plain JSON values."""
    return {
        "id": item.id,
        "text": item.text,
        "texts": list(item.texts),
        "count": item.count,
        "score": item.score,
        "reasons": [
            {"kind": r.kind, "weight": round(r.weight, 4), "note": r.note} for r in item.reasons
        ],
        "predicted": item.predicted.intent,
        "proposals": [
            {
                "intent": p.intent,
                "answer": p.answer,
                "entities": None if p.entities is None else [entity_to_dict(e) for e in p.entities],
                "votes": p.votes,
                "by_model": p.by_model,
                "trust": p.trust,
            }
            for p in item.proposals
        ],
        "drawn": item.drawn,
        "state": item.state,
        "held_by": item.held.by if item.held else None,
        "last_at": item.last_at.isoformat(),
    }


async def _find(queue: ReviewQueue, beginning: str) -> QueueItem:
    """An item by its id, or by a beginning of it that only one has."""
    items = await queue.items(state="all", limit=100_000)
    fits = [one for one in items if beginning and one.id.startswith(beginning)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise InputError(f"{len(fits)} items begin with {beginning!r}: write more")
    raise InputError(f"there is no item {beginning!r}: see `agent feedback queue`")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user: a container with a bare number
        return "terminal"


def _print_done(item: QueueItem, as_json: bool) -> None:
    if as_json:
        _print_json({"id": item.id, "state": item.state})
    else:
        sys.stdout.write(f"{item.id} {item.state}\n")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def _table(items: Sequence[QueueItem]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("item", "score", "message", "understood as", "proposed", "why"):
        table.add_column(title, overflow="ellipsis", no_wrap=title in ("item", "score"))
    for item in items:
        wishes = ", ".join(
            f"{p.intent or ('answer' if p.answer else 'wrong')} ({p.authors})"
            for p in item.proposals
        )
        line = visible(" ".join(item.text.split()))
        table.add_row(
            item.id[:8],
            f"{item.score:.2f}",
            Text(line if len(line) <= 60 else line[:59] + "…"),
            Text(item.predicted.intent or ""),
            Text(visible(wishes)),
            Text(visible("; ".join(reason.note for reason in item.reasons))),
        )
    return table
