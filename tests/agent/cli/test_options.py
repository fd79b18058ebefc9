from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "bot"
    (root / "data").mkdir(parents=True)
    (root / "domain.yml").write_text("intents: [greet]\nresponses: {utter_greet: [{text: Hi}]}\n")
    nlu = "nlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n"
    rule = "rules:\n- rule: a\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
    (root / "data" / "all.yml").write_text(nlu + rule)
    (root / "config.yml").write_text("pipeline: []\npolicies: []\n")
    return root


def test_paths_that_a_call_of_rasas_names_are_taken_if_they_are_the_projects_own(
    run_agent: Run, project: Path
) -> None:
    named = ("-d", project / "domain.yml", "--data", project / "data", "-c", project / "config.yml")
    done = run_agent("data", "validate", *map(str, named), "--project", str(project))
    assert done.returncode == 0, done.stderr
    for command in (("validate",), ("train",)):
        for option in ("--domain", "--data", "--config"):
            done = run_agent(*command, option, "elsewhere", "--project", str(project))
            assert done.returncode == 2
            assert f"{option} must be the project's own" in done.stderr


def test_a_folder_of_models_stands_for_the_one_in_production(run_agent: Run, project: Path) -> None:
    (project / "models").mkdir()
    (project / "models" / "production").write_text("20260101T000000Z-abcdef12\n")
    for command in (("parse", "hi"), ("test", "--fail-on-prediction-errors", "-s", str(project))):
        done = run_agent(*command, "-m", str(project / "models"))
        assert "models/20260101T000000Z-abcdef12" in done.stderr.replace("\n", "")
