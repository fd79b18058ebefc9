"""The command `agent test`, with Rasa's `test nlu` and `test core` as its parts."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from agent.cli.options import (
    ConfigOption,
    DomainOption,
    JsonOption,
    ModelOption,
    ProjectOption,
    check_rasas_paths,
)
from agent.errors import NoExamplesError
from knowledge.encoder_source import DEFAULT_ENCODER
from knowledge.errors import InputError
from knowledge.project_folder import find_project
from training.cli.notices import show_notices
from training.cli.progress import progress_bar
from training.testing.story_report import StoryReport, write_failed_stories

if TYPE_CHECKING:
    from agent.understanding.interpreter import Interpreter
    from training.evaluate import Evaluation

FAILED_STORIES = "failed_test_stories.yml"
_NAMED = "files named test_*, or 1.x's Markdown under tests/"


def register(app: typer.Typer) -> None:
    """Add the command with its parts."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(measure)
    group.command("nlu", help="As `agent test --nlu`.")(measure_nlu)
    group.command("core", help="As `agent test --stories`.")(measure_core)
    app.add_typer(group, name="test")


NluOption = Annotated[
    Path | None,
    typer.Option("--nlu", "-u", metavar="FILE", help="Labelled messages.", show_default=False),
]
StoriesOption = Annotated[
    Path | None,
    typer.Option(
        "--stories",
        "-s",
        metavar="PATH",
        help="A test story file, or a folder that is read recursively.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where report and pictures go.", show_default=False),
]
RobustOption = Annotated[
    bool,
    typer.Option("--robust", help="Also under typos and other noise, and for all writers alike."),
]
CrossOption = Annotated[
    bool,
    typer.Option(
        "--cross-validation",
        help="Train on all but one part of --nlu (default: the project's data), measure on it, "
        "for each part in turn; labels that look wrong are listed.",
    ),
]
FoldsOption = Annotated[
    int, typer.Option("--folds", "-f", min=2, help="Parts of the cross-validation.")
]
MethodOption = Annotated[
    Literal["full", "head", "lora"],
    typer.Option("--method", help="How the cross-validation trains."),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder", metavar="NAME_OR_PATH", help="The cross-validation's.", show_default=False
    ),
]


# Rasa's, which change nothing: a story that fails is always exit code 1, messages of stories are
# always understood, and --out always gets errors, successes and pictures.
RasasOption = Annotated[
    bool,
    typer.Option(
        "--fail-on-prediction-errors",
        "--e2e",
        "--end-to-end",
        "--successes",
        "--no-errors",
        "--no-plot",
        "--no-warnings",
        hidden=True,
    ),
]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to measure, by what, and where the report goes."""

    nlu: Path | None = None
    stories: Path | None = None
    model: Path | None = None
    project: Path | None = None
    out: Path | None = None
    robust: bool = False


def measure(
    context: typer.Context,
    nlu: NluOption = None,
    stories: StoriesOption = None,
    model: ModelOption = None,
    out: OutOption = None,
    robust: RobustOption = False,
    cross: CrossOption = False,
    folds: FoldsOption = 5,
    method: MethodOption = "head",
    encoder: EncoderOption = None,
    rasas: RasasOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model: labelled messages, test stories; without a flag the project's own.

    Example: agent test --nlu tests/test_nlu.yml --out results

    Example: agent test --cross-validation --folds 5
    """
    if context.invoked_subcommand is not None:
        return
    if cross:
        for flag, given in (("--stories", stories), ("--model", model), ("--robust", robust)):
            if given:
                raise InputError(f"{flag} does not go with --cross-validation")
        _cross_validate(nlu, folds, method, encoder, project, out, as_json)
        return
    if nlu is None and stories is None:
        nlu, stories = _own_tests(find_project(project))
    _run_tests(_Wanted(nlu, stories, model, project, out, robust), as_json)


def measure_nlu(
    nlu: NluOption = None,
    model: ModelOption = None,
    out: OutOption = None,
    robust: RobustOption = False,
    cross: CrossOption = False,
    folds: FoldsOption = 5,
    method: MethodOption = "head",
    encoder: EncoderOption = None,
    rasas: RasasOption = False,
    domain: DomainOption = None,
    config: ConfigOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure understanding on labelled messages.

    Example: agent test nlu --nlu tests/test_nlu.yml
    """
    check_rasas_paths(project, domain, None, config)
    if cross:
        _cross_validate(nlu, folds, method, encoder, project, out, as_json)
        return
    if nlu is None:
        nlu = find_project(project) / "tests" / "test_nlu.yml"
    _run_tests(_Wanted(nlu, None, model, project, out, robust), as_json)


def measure_core(
    stories: StoriesOption = None,
    model: ModelOption = None,
    out: OutOption = None,
    rasas: RasasOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run test stories.

    Example: agent test core --stories tests
    """
    if stories is None:
        stories = _own_stories(find_project(project))
        if stories is None:
            raise InputError(f"there is no test story ({_NAMED}); give --stories PATH")
    _run_tests(_Wanted(None, stories, model, project, out), as_json)


def _run_tests(wanted: _Wanted, as_json: bool) -> None:
    from agent.assemble import load_interpreter  # loads onnxruntime: only when it is used
    from agent.project import NluData, load_nlu
    from training.evaluate import evaluate

    for path in (wanted.nlu, wanted.stories):
        if path is not None and not path.exists():
            raise InputError("there is no such file", path=path)
    if wanted.robust and wanted.nlu is None:
        raise InputError("--robust needs labelled messages: give --nlu FILE")
    data = load_nlu([wanted.nlu]) if wanted.nlu is not None else NluData()
    interpreter = load_interpreter(wanted.project, wanted.model)
    evaluation = evaluate(interpreter, data)
    figures = evaluation.figures()
    if wanted.robust:
        from training.testing.robust import measure_robustness

        figures["robust"] = measure_robustness(interpreter, data).figures()
    if wanted.stories is not None:
        told = _run_stories(wanted.stories, interpreter, wanted.model, wanted.project)
        show_notices(Console(stderr=True), told.notices)
        figures["stories"] = told.to_json()
        if wanted.out is not None:
            wanted.out.mkdir(parents=True, exist_ok=True)
            write_failed_stories(told, wanted.out / FAILED_STORIES)
    _answer(evaluation, figures, wanted.out, as_json)
    if figures.get("stories", {}).get("failed"):
        raise typer.Exit(1)


def _cross_validate(
    nlu: Path | None,
    folds: int,
    method: Literal["full", "head", "lora"],
    encoder: str | None,
    project: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    from agent.project import load_nlu, load_project
    from training.assemble_model import with_extracted_patterns
    from training.options import TrainOptions
    from training.testing.cross_validate import cross_validate
    from training.testing.suspicious import as_rows, find_suspicious

    if nlu is not None:
        if not nlu.exists():
            raise InputError("there is no such file", path=nlu)
        data = load_nlu([nlu])
    else:
        read = load_project(find_project(project))
        data = with_extracted_patterns(read.nlu, read.config.pipeline)
    with progress_bar("reading") as progress:
        options = TrainOptions(method, encoder or DEFAULT_ENCODER, progress=progress)
        evaluation = cross_validate(data, options, folds)
    figures = evaluation.figures()
    figures["labels_to_review"] = as_rows(find_suspicious(evaluation))
    _answer(evaluation, figures, out, as_json)


def _run_stories(
    stories: Path, interpreter: "Interpreter", model: Path | None, project: Path | None
) -> StoryReport:
    from agent.assemble import PROJECT_FILE, read_policies
    from agent.project import load_project
    from training.testing.story_tests import run_story_tests

    policies = None
    if model is not None and (model / PROJECT_FILE).is_file():
        tested, policies = read_policies(model)
    else:
        tested = load_project(find_project(project))
    return run_story_tests(tested, [stories], interpreter.understand, policies=policies)


def _own_tests(root: Path) -> tuple[Path | None, Path | None]:
    nlu, stories = root / "tests" / "test_nlu.yml", _own_stories(root)
    if not nlu.is_file() and stories is None:
        raise InputError(
            f"the project has no tests/test_nlu.yml and no test story ({_NAMED}); "
            "give --nlu FILE or --stories PATH",
            path=root,
        )
    return (nlu if _has_examples(nlu, needed=stories is None) else None), stories


def _has_examples(nlu: Path, *, needed: bool) -> bool:
    """Whether a project's labelled messages are there and can be read; if not, it is said."""
    from agent.project import load_nlu

    if not nlu.is_file():
        return False
    try:
        load_nlu([nlu])
    except NoExamplesError as error:
        if needed:
            raise
        typer.echo(f"{error}; only the story tests are run", err=True)
        return False
    return True


def _own_stories(root: Path) -> Path | None:
    """The project's folder, if it holds test stories; all of them are run, as Rasa does."""
    from agent.project import load_stories

    return root if load_stories(root)[0] else None


def _answer(
    evaluation: "Evaluation",
    figures: dict[str, Any],
    out: Path | None,
    as_json: bool,
) -> None:
    if out is not None:
        from training.testing.report import write_test_report  # loads matplotlib

        write_test_report(evaluation, figures, out)
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
        return
    from training.cli.view import show_figures

    console = Console()
    show_figures(console, evaluation, figures)
    if out is not None:
        console.print(f"report: {out / 'report.md'}", markup=False, highlight=False)
