import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.cli import validate

FILES = {
    "domain.yml": "intents: [greet, bye]\nresponses: {utter_greet: [{text: A}]}\n",
    "data/nlu.yml": "nlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n"
    "- intent: bye\n  examples: |\n    - bye\n    - see you\n",
    "data/rules.yml": "rules:\n- rule: r\n  steps:\n  - intent: greet\n  - action: utter_greet\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    validate.register(app)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def test_warnings_alone_are_code_0(root: Path) -> None:
    code, output = run("validate", "--project", str(root))
    assert code == 0
    assert "domain.yml:1: intents.bye: the intent 'bye' is used in no story" in output
    assert "0 errors, 1 warning: the project can be used" in output


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("store: {urll: x}\n", "settings.yml: store.urll: unknown setting"),
        ("store: [\n", "settings.yml:2: not valid YAML"),
        ("server: {port: many}\n", "settings.yml: server.port: Input should be a valid integer"),
        ("sever: {port: 1}\n", "✗ settings.yml: sever: unknown setting"),
        ("generator: {kind: openai}\n", "✗ generator.model: names no model"),
        (
            "generator: {kind: transformers, model: /nowhere/lm}\n",
            "✗ generator.model: there is no folder /nowhere/lm",
        ),
    ],
)
def test_wrong_settings_are_an_error(root: Path, text: str, line: str) -> None:
    (root / "settings.yml").write_text(text, encoding="utf-8")
    code, output = run("validate", "--project", str(root))
    assert code == 1
    assert line in output


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        (
            "prompts/answer.md.jinja",
            "---\nvariables: {text: t}\n---\n{{ text }}\n{{ titel }}\n",
            "✗ prompts/answer.md.jinja:5: titel: the variable is used but not declared",
        ),
        ("prompts/answer.md.jinja", "{{ 'x", "✗ prompts/answer.md.jinja:1: not a valid template"),
        ("facts/hotels.json", "[1]", "✗ facts/hotels.json: expected an object"),
    ],
)
def test_wrong_prompts_and_facts_are_errors(root: Path, name: str, text: str, line: str) -> None:
    (root / name).parent.mkdir()
    (root / name).write_text(text, encoding="utf-8")
    code, output = run("validate", "--project", str(root))
    assert code == 1
    assert line in output


def test_a_project_without_examples_is_told_so(root: Path) -> None:
    (root / "data" / "nlu.yml").write_text("nlu: []\n", encoding="utf-8")
    code, output = run("validate", "--project", str(root))
    assert code == 0
    assert "there are no examples" in output


def test_errors_are_code_1_and_all_listed(root: Path) -> None:
    (root / "data" / "rules.yml").write_text("rules: x\n", encoding="utf-8")
    (root / "config.yml").write_text("policies: 5\n", encoding="utf-8")
    code, output = run("validate", "--project", str(root))
    assert code == 1
    assert "data/rules.yml:1: rules: must be a list" in output
    assert "config.yml:1: policies: must be a list" in output
    assert "2 errors" in output


def test_json_is_one_document_of_errors_and_warnings(root: Path) -> None:
    (root / "data" / "s.yml").write_text(
        "stories:\n- story: s\n  steps:\n  - action: action_nope\n", encoding="utf-8"
    )
    code, output = run("validate", "--project", str(root), "--json")
    found = json.loads(output)
    assert code == 1
    assert sorted(found) == ["errors", "warnings"]
    assert found["errors"] == [
        {
            "message": "the action 'action_nope' is not in the domain: list it under `actions:`",
            "file": "data/s.yml",
            "line": 4,
            "key": "actions.action_nope",
            "level": "error",
        }
    ]


def test_rasas_own_words_work(root: Path) -> None:
    code, output = run("data", "validate", "--project", str(root), "--json")
    assert code == 0
    assert len(json.loads(output)["warnings"]) == 1


def test_markup_in_a_finding_is_shown_as_it_is(root: Path) -> None:
    (root / "data" / "more.yml").write_text(
        "nlu:\n- intent: greet\n  examples: |\n    - a [bold](\n", encoding="utf-8"
    )
    assert "'[bold]('" in run("validate", "--project", str(root))[1]
