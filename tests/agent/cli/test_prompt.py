import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.cli import prompt
from agent.errors import InputError


@pytest.fixture
def app() -> typer.Typer:
    built = typer.Typer()
    prompt.register(built)
    built.callback()(lambda: None)
    return built


def run(app: typer.Typer, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["prompt", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_template_is_rendered_with_its_variables(app: typer.Typer, tmp_path: Path) -> None:
    arguments = ["--var", "question=hi", "--var", 'suggestions=["Pay"]', "--project", str(tmp_path)]
    assert "Did you mean" in run(app, "render", "unknown", *arguments)
    shown = json.loads(run(app, "render", "unknown", *arguments, "--json"))
    assert set(shown) == {"name", "version", "text"}


def test_the_projects_template_is_the_one_that_is_tried(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "rephrase.md.jinja").write_text("Pardon?")
    assert run(app, "render", "rephrase", "--project", str(tmp_path)) == "Pardon?\n"
    listed = json.loads(run(app, "list", "--project", str(tmp_path), "--json"))
    paths = {row["name"]: row["path"] for row in listed}
    assert paths["rephrase"].startswith(str(tmp_path))
    assert "answer (question, text, title)" in run(app, "list", "--project", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["render", "nope"], "no prompt named 'nope'"),
        (["render", "unknown"], "needs question, suggestions"),
        (["render", "rephrase", "--var", "x"], "--var takes name=value, got 'x'"),
        (["render", "rephrase", "--var", "x=1"], "has no x"),
    ],
)
def test_a_mistake_is_one_clear_line(
    app: typer.Typer, tmp_path: Path, arguments: list[str], message: str
) -> None:
    words = ["prompt", *arguments, "--project", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert result.stdout == ""
