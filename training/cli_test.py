"""The command `agent test`, with Rasa's `test nlu` and `test core` as its parts."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from agent.cli.options import JsonOption, ModelOption, ProjectOption
from knowledge.errors import InputError
from knowledge.project_folder import find_project

if TYPE_CHECKING:
    from agent.understanding.interpreter import Interpreter


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


def measure(
    context: typer.Context,
    nlu: NluOption = None,
    stories: StoriesOption = None,
    model: ModelOption = None,
    out: OutOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model: labelled messages, test stories; without a flag the project's own.

    Example: agent test --nlu tests/test_nlu.yml --out results
    """
    if context.invoked_subcommand is None:
        _run_tests(nlu, stories, model, out, project, as_json)


def measure_nlu(
    nlu: NluOption = None,
    model: ModelOption = None,
    out: OutOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure understanding on labelled messages.

    Example: agent test nlu --nlu tests/test_nlu.yml
    """
    if nlu is None:
        nlu = find_project(project) / "tests" / "test_nlu.yml"
    _run_tests(nlu, None, model, out, project, as_json)


def measure_core(
    stories: StoriesOption = None,
    model: ModelOption = None,
    out: OutOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run test stories.

    Example: agent test core --stories tests
    """
    if stories is None:
        stories = find_project(project) / "tests" / "test_stories.yml"
    _run_tests(None, stories, model, out, project, as_json)


def _run_tests(
    nlu: Path | None,
    stories: Path | None,
    model: Path | None,
    out: Path | None,
    project: Path | None,
    as_json: bool,
) -> None:
    from agent.assemble import load_interpreter  # loads onnxruntime: only when it is used
    from agent.project import NluData, load_nlu
    from training.evaluate import evaluate

    if nlu is None and stories is None:
        nlu, stories = _own_tests(find_project(project))
    for path in (nlu, stories):
        if path is not None and not path.exists():
            raise InputError("there is no such file", path=path)
    data = load_nlu([nlu]) if nlu is not None else NluData()
    interpreter = load_interpreter(project, model)
    evaluation = evaluate(interpreter, data)
    figures = evaluation.figures()
    if stories is not None:
        figures["stories"] = _run_stories(stories, interpreter, model, project)
    if out is not None:
        from training.report import write_test_report  # loads matplotlib

        write_test_report(evaluation, figures, out)
    _answer_test(figures, out, as_json)
    if figures.get("stories", {}).get("failed"):
        raise typer.Exit(1)


def _run_stories(
    stories: Path, interpreter: "Interpreter", model: Path | None, project: Path | None
) -> dict[str, Any]:
    from agent.assemble import PROJECT_FILE, read_policies
    from agent.project import load_project
    from training.story_tests import run_story_tests

    policies = None
    if model is not None and (model / PROJECT_FILE).is_file():
        tested, policies = read_policies(model)
    else:
        tested = load_project(find_project(project))
    report = run_story_tests(tested, [stories], interpreter.understand, policies=policies)
    return report.to_json()


def _own_tests(root: Path) -> tuple[Path | None, Path | None]:
    nlu, stories = root / "tests" / "test_nlu.yml", root / "tests" / "test_stories.yml"
    if not nlu.is_file() and not stories.is_file():
        raise InputError(
            "the project has no tests/test_nlu.yml and no tests/test_stories.yml; "
            "give --nlu FILE or --stories PATH",
            path=root,
        )
    return (nlu if nlu.is_file() else None), (stories if stories.is_file() else None)


def _answer_test(figures: dict[str, Any], out: Path | None, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
        return
    console = Console()
    for part, values in figures.items():
        shown = ", ".join(f"{k} {_short(v)}" for k, v in values.items() if k != "failures")
        console.print(f"[bold]{part}[/bold]: {shown}", highlight=False)
    for failure in figures.get("stories", {}).get("failures", []):
        console.print(failure["diff"], markup=False, highlight=False)
    if out is not None:
        console.print(f"report: {out / 'report.md'}", markup=False, highlight=False)


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
