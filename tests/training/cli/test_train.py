"""`agent train` and `agent test` from outside: JSON, exit codes, files."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.tiny import examples

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny examples as JSONL."""
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    lines = []
    for example in examples().examples:
        spans = [{"start": s.start, "end": s.end, "label": s.label} for s in example.entities]
        lines.append({"text": example.text, "intent": example.intent, "entities": spans})
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return path


def test_examples_alone_train_and_are_measured(
    run_agent: Run, rows: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "model"
    options = ("--method", "head", "--encoder", str(tiny_encoder), "--out", str(out), "--json")
    trained = run_agent("train", "--nlu", str(rows), *options)
    assert trained.returncode == 0, trained.stderr
    answer = json.loads(trained.stdout)
    assert answer["model"] == str(out)
    assert answer["took_s"] > 0
    assert answer["report"]["intent"]["n"] == 18
    results = tmp_path / "results"
    tested = run_agent(
        "test", "--nlu", str(rows), "--model", str(out), "--out", str(results), "--json"
    )
    assert tested.returncode == 0, tested.stderr
    figures = json.loads(tested.stdout)
    assert figures["intent"]["n"] == 18
    assert figures["entity"]["n"] == 12
    assert {path.name for path in results.iterdir()} == {
        "report.md",
        "report.json",
        "confusion.png",
        "confidence.png",
        "intent_report.json",
        "intent_errors.json",
        "intent_successes.json",
        "entity_report.json",
    }


def test_a_training_leaves_cores_that_others_want_to_them(
    run_agent: Run, rows: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """Threads that spin while they wait take the cores of other processes."""
    options = ("--method", "full", "--epochs", "1", "--encoder", str(tiny_encoder))
    place = ("--nlu", str(rows), "--out", str(tmp_path / "model"))
    trained = run_agent("train", *place, *options, env={"OMP_DISPLAY_ENV": "verbose"})
    assert trained.returncode == 0, trained.stderr
    if "GOMP_" not in trained.stderr:
        pytest.skip("torch runs on another OpenMP than GNU's here")
    assert "GOMP_SPINCOUNT = '3000'" in trained.stderr


def test_a_folder_that_holds_something_else_is_refused(
    run_agent: Run, rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = run_agent("train", "--nlu", str(rows), "--method", "head", "--out", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no model folder" in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_examples_alone_need_a_folder_to_write(run_agent: Run, rows: Path) -> None:
    done = run_agent("train", "--nlu", str(rows))
    assert done.returncode == 2
    assert "--out" in done.stderr


def test_a_missing_file_is_one_clear_line(run_agent: Run, tmp_path: Path) -> None:
    done = run_agent("train", "--nlu", str(tmp_path / "no.jsonl"), "--out", str(tmp_path / "m"))
    assert done.returncode == 2
    assert "no.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_test_file_is_one_clear_line(run_agent: Run, shop: Path) -> None:
    done = run_agent("test", "--nlu", "nowhere.yml", "--project", str(shop))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "nowhere.yml" in done.stderr


def test_the_help_shows_an_example(run_agent: Run) -> None:
    for command in ("train", "test"):
        assert "Example" in run_agent(command, "--help").stdout


def test_cross_validation_lists_labels_to_review(
    run_agent: Run, rows: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    options = ("--cross-validation", "--folds", "3", "--encoder", str(tiny_encoder))
    done = run_agent(
        "test", "--nlu", str(rows), *options, "--out", str(tmp_path / "results"), "--json"
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["intent"]["n"] == 18
    assert isinstance(figures["labels_to_review"], list)
    report = json.loads((tmp_path / "results" / "report.json").read_text(encoding="utf-8"))
    assert set(report["intents"]) == {"book", "send", "greet"}


def test_robustness_is_measured_under_each_noise_and_for_each_writer(
    run_agent: Run, rows: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    model = str(tmp_path / "model")
    run_agent(
        "train", "--nlu", str(rows), "--method", "head", "--encoder", str(tiny_encoder),
        "--out", model,
    )  # fmt: skip
    done = run_agent("test", "--nlu", str(rows), "--model", model, "--robust", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["robust"]
    assert set(found["noise"]) == {"typos", "casing", "punctuation", "spacing", "wording"}
    assert {"accuracy", "accuracy_lost", "entity_f1"} <= set(found["noise"]["typos"])
    assert {"name", "gender", "origin"} <= set(found["fairness"])
    differing = sum(kind["differing"] for kind in found["fairness"].values())
    assert len(found["differences"]) == differing
    assert all(len(one["outcomes"]) > 1 for one in found["differences"])


def test_flags_that_do_not_go_together_are_refused(run_agent: Run, rows: Path) -> None:
    done = run_agent("test", "--nlu", str(rows), "--cross-validation", "--robust")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--robust does not go with --cross-validation" in done.stderr


def test_without_a_flag_every_test_story_under_tests_is_run(run_agent: Run, tmp_path: Path) -> None:
    project = tmp_path / "bot"
    project.mkdir()
    (project / "domain.yml").write_text("intents: [greet]\nresponses: {utter_greet: [text: Hi]}\n")
    none = run_agent("test", "--project", str(project))
    assert none.returncode == 2
    assert "no test story (files named test_*" in none.stderr
    (project / "tests" / "forms").mkdir(parents=True)
    story = "stories:\n- story: s\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
    (project / "tests" / "forms" / "test_order.yml").write_text(story)
    for part in ((), ("core",)):
        found = run_agent("test", *part, "--project", str(project))
        assert found.returncode == 2
        assert "no model" in found.stderr


def test_labelled_messages_in_a_foreign_format_keep_no_story_from_running(
    run_agent: Run, tmp_path: Path
) -> None:
    project = tmp_path / "bot"
    (project / "tests").mkdir(parents=True)
    (project / "domain.yml").write_text("intents: [greet]\nresponses: {utter_greet: [text: Hi]}\n")
    (project / "tests" / "test_nlu.yml").write_text('nlu:\n- text: "hello"\n  intent: greet\n')
    story = "stories:\n- story: s\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
    (project / "tests" / "test_stories.yml").write_text(story)
    found = run_agent("test", "--project", str(project))
    assert "only the story tests are run" in found.stderr
    assert "no model" in found.stderr
