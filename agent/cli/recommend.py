"""`agent recommend`: what to suggest to somebody, and what people did."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import JsonOption, ProjectOption
from agent.errors import InputError

if TYPE_CHECKING:
    from agent.recommend.events import BadRow, Event
    from agent.recommend.recommender import Suggestion
    from agent.recommend.service import Recommendations
    from agent.recommend.wishes import Wishes

_PIECE = 5000
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recommend")(recommend)


def recommend(
    user: Annotated[
        str | None, typer.Argument(metavar="[USER]", help="Whom to suggest something to.")
    ] = None,
    count: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many items.")] = 10,
    text: Annotated[
        str, typer.Option("--text", metavar="T", help='A wish: "something short and funny".')
    ] = "",
    fact: Annotated[
        list[str] | None,
        typer.Option("--fact", metavar="NAME=VALUE", help="What an item must have."),
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="ID", help="The item that the wish refers to.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="Take in behaviour: CSV, first line names."),
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete what is known of USER instead.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Suggest items of the project's items.jsonl to a user, each with its reason.

    The CSV's columns are user, item and kind (view, like, rate, dislike) or rating, and
    timestamp. What is taken in counts on the next request; `agent learn-recommender` learns
    from everybody's.

    Example: agent recommend anna -k 5 --text "a short comedy"

    Example: agent recommend --events ratings.csv
    """
    from knowledge.project_folder import find_project

    if user is None and events is None:
        raise InputError("name a user, or give --events FILE")
    if forget and user is None:
        raise InputError("--forget goes with a user")
    root = find_project(project)
    asyncio.run(_run(root, user, count, _wishes(text, fact or [], like), events, forget, as_json))


async def _run(
    root: Path,
    user: str | None,
    count: int,
    wishes: "Wishes",
    events: Path | None,
    forget: bool,
    as_json: bool,
) -> None:
    from agent.cli.opened import open_store
    from agent.recommend.service import Recommendations
    from agent.settings import load_settings

    async with open_store(root) as store:
        asked = Recommendations(root, store, load_settings(root).knowledge.encoder)
        if forget and user is not None:
            _print({"user": user, "forgotten": await asked.forget(user)}, as_json)
            return
        if events is not None:
            taken = await _take(asked, events)
            if user is None:
                _print(taken, as_json)
                return
        assert user is not None
        await _sync(asked)
        await asked.check(wishes)
        found = await asked.recommend(user, count, wishes=wishes)
        _show(found, as_json)
        if not found:
            sys.stderr.write(f"agent: no item fits that {user!r} has not dealt with\n")


async def _take(asked: "Recommendations", path: Path) -> dict[str, object]:
    """Keep the events of a file, a piece at a time; wrong rows are named on standard error.

    Events of items that are not in the file are kept, too: the items may come later.
    """
    from agent.recommend.events import BadRow, Event, read_csv

    read = added = bad = 0
    unknown: list[str] = []
    for piece in _pieces(read_csv(path)):
        events = [one for one in piece if isinstance(one, Event)]
        for row in (one for one in piece if isinstance(one, BadRow)):
            bad += 1
            if bad <= _SHOWN:
                sys.stderr.write(f"agent: {path}:{row.line}: {row.reason}\n")
        unknown += await asked.unknown(events)
        read, added = read + len(events), added + await asked.note(events)
    if bad > _SHOWN:
        sys.stderr.write(f"agent: {bad - _SHOWN} more rows hold no event\n")
    if unknown:
        sys.stderr.write(
            f"agent: items.jsonl has no such item for {len(unknown)} of {read} events, "
            f"such as {unknown[0]!r}\n"
        )
    return {"read": read, "added": added, "unknown_items": len(unknown)}


async def _sync(asked: "Recommendations") -> None:
    done = await asked.sync()
    for line in done.skipped[:_SHOWN]:
        sys.stderr.write(f"agent: items.jsonl:{line.line}: {line.reason}\n")
    if len(done.skipped) > _SHOWN:
        sys.stderr.write(f"agent: {len(done.skipped) - _SHOWN} more lines hold no item\n")


def _pieces(rows: "Iterable[Event | BadRow]") -> "Iterator[list[Event | BadRow]]":
    remaining = iter(rows)
    while piece := list(islice(remaining, _PIECE)):
        yield piece


def _wishes(text: str, facts: list[str], like: str | None) -> "Wishes":
    from agent.recommend.wishes import Wishes

    pairs = {}
    for fact in facts:
        name, equals, value = fact.partition("=")
        if not equals or not name or not value:
            raise InputError(f"--fact {fact!r} is no NAME=VALUE, such as genres=Comedy")
        pairs[name] = value
    return Wishes(text, pairs, like)


def _show(found: "list[Suggestion]", as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps([s.as_json() for s in found], ensure_ascii=False) + "\n")
        return
    for place, one in enumerate(found, start=1):
        sys.stdout.write(f"{place:>3}. {one.item.title} ({one.reason})\n")
    if not found:
        sys.stdout.write("Nothing to suggest.\n")


def _print(values: dict[str, object], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(", ".join(f"{name} {value}" for name, value in values.items()) + "\n")
