"""`agent feedback`: the review queue in a terminal."""

import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from agent.cli import review
from agent.cli.new_intent import check_known
from agent.cli.opened import with_feedback
from agent.cli.options import JsonOption, ProjectOption
from agent.cli.tables import table_console
from agent.display import visible
from agent.errors import InputError
from agent.feedback.correction import STATES, Correction, State
from agent.feedback.correction_json import parse_entities, to_dict
from agent.feedback.exchange import FORMATS, export, read_corrections
from agent.feedback.merge import merge
from agent.feedback.service import Feedback
from agent.project.types import EntityAnnotation
from agent.settings import load_settings
from knowledge.project_folder import find_project

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The correction, or how it begins.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the history.")]
IntentOption = Annotated[
    str | None, typer.Option("--intent", metavar="I", help="What it means.", show_default=False)
]
EntitiesOption = Annotated[
    str | None,
    typer.Option(
        "--entities",
        metavar="JSON",
        help='All its entities: [{"start": 0, "end": 5, "label": "city"}]; [] for none.',
        show_default=False,
    ),
]
AnswerOption = Annotated[
    str | None, typer.Option("--answer", metavar="A", help="What to say to it.", show_default=False)
]
NewIntentOption = Annotated[
    bool, typer.Option("--new-intent", help="The intent is meant to be new.")
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Corrections: list them, review them, make them, exchange them.",
        no_args_is_help=True,
    )
    group.command("list")(list_corrections)
    group.command("show")(show)
    group.command("accept")(accept)
    group.command("reject")(reject)
    group.command("correct")(correct)
    group.command("queue")(review.queue)
    group.command("judge")(review.judge)
    group.command("undo")(review.undo)
    group.command("export")(export_corrections)
    group.command("import")(import_corrections)
    app.add_typer(group, name="feedback")


def list_corrections(
    state: Annotated[
        str, typer.Option("--state", help="pending, accepted, rejected or all.")
    ] = "pending",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """List corrections, the oldest first.

    Example: agent feedback list --state all
    """
    wanted = _state(state)
    found = with_feedback(
        find_project(project), lambda feedback: feedback.list(wanted, limit=limit)
    )
    if as_json:
        _print_json([to_dict(one) for one in found])
    elif found:
        table_console().print(_table(found))
    else:
        sys.stdout.write(f"No {'' if wanted is None else wanted + ' '}corrections.\n")


def show(
    correction_id: IdArgument, project: ProjectOption = None, as_json: JsonOption = False
) -> None:
    """Show a correction with its history.

    Example: agent feedback show 3f2a
    """
    found = with_feedback(find_project(project), lambda feedback: feedback.show(correction_id))
    if as_json:
        _print_json(to_dict(found))
    else:
        table_console().print(_details(found))


def accept(
    correction_id: IdArgument,
    intent: IntentOption = None,
    entities: EntitiesOption = None,
    answer: AnswerOption = None,
    new_intent: NewIntentOption = False,
    reason: ReasonOption = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept a correction, with what you put right in it: it counts from the next message on.

    Example: agent feedback accept 3f2a --intent block_card
    """
    root, spans = find_project(project), _entities(entities)

    async def take(feedback: Feedback) -> Correction:
        wanted = intent or (await feedback.show(correction_id)).intent
        check_known(root, wanted, new=new_intent)
        return await feedback.accept(
            correction_id,
            by=_user(),
            reason=reason,
            intent=intent,
            entities=spans,
            answer=answer,
        )

    _print_state(with_feedback(root, take), as_json)


def reject(
    correction_id: IdArgument,
    reason: ReasonOption = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a correction: it stays in the history and never trains a model.

    Example: agent feedback reject 3f2a --reason "the answer was right"
    """
    done = with_feedback(
        find_project(project),
        lambda feedback: feedback.reject(correction_id, by=_user(), reason=reason),
    )
    _print_state(done, as_json)


def correct(
    turn: Annotated[
        str | None, typer.Argument(metavar="[TURN]", help="The turn's id.", show_default=False)
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="T", help="A message instead of a turn.")
    ] = None,
    intent: IntentOption = None,
    entities: EntitiesOption = None,
    answer: AnswerOption = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="HEAD=L", help="What a further head should have said."),
    ] = None,
    new_intent: NewIntentOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a turn (or a text) right; accepted at once, it counts from the next message on.

    Example: agent feedback correct --text "my card is gone" --intent block_card
    """
    if (turn is None) == (text is None):
        raise InputError("give either a turn's id or --text")
    root, spans = find_project(project), _entities(entities)
    labels = dict(_head_label(one) for one in label or ())
    check_known(root, intent, new=new_intent)
    done = with_feedback(
        root,
        lambda feedback: feedback.correct(
            turn,
            text=text,
            intent=intent,
            entities=spans,
            answer=answer,
            labels=labels,
            reviewer=_user(),
        ),
        require=False,
    )
    _print_state(done, as_json)


def _head_label(given: str) -> tuple[str, str]:
    head, equals, label = given.partition("=")
    if not (equals and head and label):
        raise InputError(f"--label {given!r} is no HEAD=LABEL, such as sentiment=negative")
    return head, label


def export_corrections(
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="rasa (nlu.yml), jsonl (examples), corrections (all), label-studio or argilla.",
        ),
    ] = "rasa",
    state: Annotated[
        str, typer.Option("--state", help="pending, accepted, rejected or all.")
    ] = "accepted",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Default: standard output.", show_default=False),
    ] = None,
    merge_in: Annotated[
        bool, typer.Option("--merge", help="Into the project's own nlu files, layout kept.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write corrections as training data, or whole for another store.

    With --json, the document says how many were written to --out and what was left out.

    Example: agent feedback export --format rasa --out data/corrections.yml
    """
    if form not in FORMATS:
        raise InputError(f"unknown --format {form!r}: use one of {', '.join(FORMATS)}")
    if merge_in:
        _merge(find_project(project), _state(state), as_json=as_json)
        return
    if as_json and out is None:
        raise InputError("--json reports on a file: give --out, too")
    wanted = _state(state)
    root = find_project(project)
    found = with_feedback(root, lambda feedback: feedback.list(wanted))
    done = export(found, form, names=load_settings(root).feedback.names)
    if out is None:
        sys.stdout.write(done.text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(done.text, encoding="utf-8")
    if as_json:
        _print_json({"path": str(out), "count": done.count, "left_out": done.left_out})
        return
    for correction_id, reason in done.left_out.items():
        sys.stderr.write(f"left out {correction_id[:8]}: {reason}\n")


def _merge(root: Path, state: State | None, *, as_json: bool) -> None:
    """Write corrections into the project's files and say what changed."""
    names = load_settings(root).feedback.names
    found = with_feedback(root, lambda feedback: feedback.list(state))
    done = merge(root, found, names=names)
    if as_json:
        document = {name: list(getattr(done, name)) for name in ("added", "moved", "known")}
        files = [str(path) for path in done.files]
        _print_json({**document, "left_out": dict(done.left_out), "files": files})
        return
    sys.stdout.write(
        f"{len(done.added)} added, {len(done.moved)} moved from another intent, "
        f"{len(done.known)} there already.\n"
    )
    for path in done.files:
        sys.stdout.write(f"changed {path}\n")
    for correction_id, reason in done.left_out.items():
        sys.stderr.write(f"left out {correction_id[:8]}: {reason}\n")


def import_corrections(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .jsonl, .json or Rasa nlu .yml file.")
    ],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take corrections, or examples as accepted corrections; what is there already stays.

    Example: agent feedback import reviewed.jsonl
    """
    corrections = read_corrections(file, _user())

    async def keep(feedback: Feedback) -> int:
        before = {one.id for one in await feedback.list()}
        for one in corrections:
            await feedback.keep(one)
        return len({one.id for one in corrections} - before)

    added = with_feedback(find_project(project), keep)
    if as_json:
        _print_json({"read": len(corrections), "added": added})
    else:
        sys.stdout.write(f"Read {len(corrections)} corrections, {added} of them new.\n")


def _state(name: str) -> State | None:
    if name == "all":
        return None
    if name not in STATES:
        raise InputError(f"unknown --state {name!r}: use {', '.join(STATES)} or all")
    return name


def _entities(text: str | None) -> tuple[EntityAnnotation, ...] | None:
    """The spans of --entities, None if it was not given."""
    if text is None:
        return None
    try:
        return parse_entities(json.loads(text))
    except ValueError as error:
        raise InputError(f"--entities is no JSON: {error}") from error


def _user() -> str:
    """The name of whoever sits at the terminal."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user: a container with a bare number
        return "terminal"


def _print_state(correction: Correction, as_json: bool) -> None:
    if as_json:
        _print_json({"id": correction.id, "state": correction.state})
    else:
        sys.stdout.write(f"{correction.id} {correction.state}\n")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def _table(corrections: Sequence[Correction]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("id", "state", "message", "understood as", "should be", "by", "when (UTC)"):
        table.add_column(title, overflow="ellipsis", no_wrap=title in ("id", "state"))
    for one in corrections:
        table.add_row(
            one.id[:8],
            one.state,
            Text(_short(one.text)),
            Text(one.predicted.intent or ""),
            Text(visible(_wanted(one))),
            Text(visible(one.author)),
            f"{one.created_at:%m-%d %H:%M}",
        )
    return table


def _details(correction: Correction) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "id": correction.id,
        "state": correction.state,
        "message": correction.text,
        "turn": correction.turn_id or "",
        "understood as": correction.predicted.intent or "",
        "should be": _wanted(correction),
        "by": f"{correction.author} ({correction.source}, {correction.trust})",
        "reason": correction.reason,
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(visible(value)))
    for change in correction.history:
        why = f": {change.reason}" if change.reason else ""
        table.add_row(
            f"{change.at:%Y-%m-%d %H:%M}", Text(visible(f"{change.state} by {change.by}{why}"))
        )
    return table


def _wanted(correction: Correction) -> str:
    """What a correction asks for, in one line."""
    parts = [correction.intent] if correction.intent else []
    if correction.entities is not None:
        spans = [f"{e.label}={e.value}" for e in correction.entities]
        parts.append("entities " + (", ".join(spans) or "none"))
    if correction.answer is not None:
        parts.append(f"say “{_short(correction.answer)}”")
    if correction.liked is not None:
        parts.append("liked" if correction.liked else "disliked")
    return "; ".join(parts)


def _short(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= 60 else line[:59] + "…"
