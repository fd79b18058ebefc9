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


def test_the_options_of_rasas_tests_are_taken(run_agent: Run, shop: Path, tmp_path: Path) -> None:
    out, there = tmp_path / "results", ("--project", str(shop))
    nlu = (
        "test",
        "nlu",
        "--nlu",
        str(shop / "data"),
        "--out",
        str(out),
        "--no-plot",
        "--successes",
    )
    done = run_agent(*nlu, "--config", str(shop / "config.yml"), *there)
    assert done.returncode == 0, done.stderr
    assert {"intent_report.json", "intent_successes.json"} <= {p.name for p in out.iterdir()}
    core = ("test", "core", "--e2e", "--no-warnings", "--fail-on-prediction-errors")
    assert run_agent(*core, *there).returncode == 0
    done = run_agent("test", "nlu", "--config", "elsewhere", *there)
    assert "--config must be the project's own" in done.stderr


def test_rasas_list_of_data_is_taken_word_by_word(run_agent: Run, project: Path) -> None:
    own, there = str(project / "data"), ("--project", str(project))
    assert run_agent("validate", "--data", own, own, *there).returncode == 0
    for command in (("validate",), ("train",), ("train", "core")):
        done = run_agent(*command, "--data", own, "elsewhere", *there)
        assert done.returncode == 2
        assert "--data must be the project's own data, got elsewhere" in done.stderr


def test_words_that_belong_to_no_option_are_refused(run_agent: Run, project: Path) -> None:
    for command in (("validate", "nlu"), ("train", "everything"), ("train", "nlu", "core")):
        done = run_agent(*command, "--project", str(project))
        assert done.returncode == 2
        assert f"unexpected words: {command[-1]}" in done.stderr


def test_rasas_parts_of_training_train_the_whole(run_agent: Run, project: Path) -> None:
    done = run_agent("train", "nlu", "--method", "head", "--project", str(project))
    assert done.returncode == 0, done.stderr
    assert (project / "models" / "production").is_file()


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("interactive", "-m", "models"), "agent chat --debug"),
        (("export", "--conversation-ids", "a,b"), "agent conversations export"),
        (("evaluate", "markers", "all", "out.csv"), "agent conversations export"),
        (("x",), "/review"),
        (("telemetry", "disable"), "nothing is reported"),
        (("data", "split", "nlu", "--training-fraction", "0.7"), "--cross-validation"),
        (("data", "convert", "nlu", "-f", "yaml"), "agent validate"),
        (("data", "migrate"), "agent validate"),
    ],
)
def test_rasas_commands_that_have_another_home_are_told_it(
    run_agent: Run, command: tuple[str, ...], named: str
) -> None:
    done = run_agent(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr
