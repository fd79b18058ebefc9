import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run


def clear_line(stderr: str) -> str:
    """The one line that says what is wrong."""
    assert "Traceback" not in stderr, stderr
    lines = [line for line in stderr.splitlines() if line.startswith("agent: ")]
    assert len(lines) == 1, stderr
    return lines[0]


def unknown_key(shop: Path) -> None:
    (shop / "settings.yml").write_text("store:\n  uri: redis://x\n")


def broken_yaml(shop: Path) -> None:
    (shop / "domain.yml").write_text("version: '3.1'\nintents: [greet\nslots: {}\n")


def no_examples(shop: Path) -> None:
    (shop / "data" / "nlu.yml").write_text('version: "3.1"\nnlu: []\n')


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unknown_key, "settings.yml: store.uri"),
        (broken_yaml, "domain.yml:"),
        (no_examples, "example"),
    ],
)
def test_training_on_a_spoiled_project_names_the_place(
    shop: Path, run_agent: Run, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(shop)
    done = run_agent("train", "--method", "head", "--project", str(shop))
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in clear_line(done.stderr)


def test_an_unknown_intent_in_a_story_is_found_with_its_line(shop: Path, run_agent: Run) -> None:
    rules = shop / "data" / "rules.yml"
    rules.write_text(rules.read_text().replace("{intent: goodbye}", "{intent: good_bye}"))
    done = run_agent("validate", "--project", str(shop))
    assert done.returncode == 1
    assert "good_bye" in done.stdout + done.stderr
    assert "rules.yml" in done.stdout + done.stderr


def test_training_says_first_what_is_wrong_with_a_story(shop: Path, run_agent: Run) -> None:
    rules = shop / "data" / "rules.yml"
    rules.write_text(rules.read_text().replace("{intent: goodbye}", "{intent: good_bye}"))
    done = run_agent("train", "--method", "head", "--project", str(shop))
    assert done.returncode == 0, done.stderr
    assert "good_bye" in done.stderr.splitlines()[0]
    assert "rules.yml" in done.stderr.splitlines()[0]


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path, run_agent: Run) -> None:
    done = run_agent("train", "--project", str(tmp_path))
    assert done.returncode == 2
    assert "agent init" in clear_line(done.stderr)


def test_a_missing_folder_is_refused(tmp_path: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert "nothing" in clear_line(done.stderr)


@pytest.mark.parametrize("name", ["understanding.onnx", "project.json", "manifest.json"])
def test_a_truncated_model_is_refused_by_name(shop: Path, run_agent: Run, name: str) -> None:
    model = shop / "models" / (shop / "models" / "production").read_text().strip()
    path = model / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = run_agent("chat", "--project", str(shop), stdin="hello\n")
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert model.name in clear_line(done.stderr)


def test_a_redis_that_cannot_be_reached_is_told_and_the_chat_goes_on(
    shop: Path, run_agent: Run
) -> None:
    away = {"INTENT_AGENT_STORE__URL": "redis://127.0.0.1:1/0"}
    lines = "hello\n/wrong refund\nhello\n"
    done = run_agent("chat", "--project", str(shop), stdin=lines, env=away)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "Hello! What can I do for you?"
    assert done.stdout.splitlines()[-1] == "Refunds take five days."
    assert "Traceback" not in done.stderr
    assert "127.0.0.1:1" in done.stderr
    back = run_agent("chat", "--project", str(shop), stdin="hello\n")
    assert back.stdout.splitlines() == ["Refunds take five days."]


def test_a_store_of_an_unknown_kind_is_bad_input(shop: Path, run_agent: Run) -> None:
    wrong = {"INTENT_AGENT_STORE__URL": "mongo://somewhere"}
    done = run_agent("chat", "--project", str(shop), stdin="hello\n", env=wrong)
    assert done.returncode == 2
    assert "store.url: 'mongo://somewhere'" in clear_line(done.stderr)


def test_a_wrong_option_is_usage(run_agent: Run) -> None:
    done = run_agent("chat", "--colour", "red")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_unknown_intent_cannot_be_corrected_to_by_accident(shop: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(shop), stdin="hello\n/wrong refnud\n")
    assert done.returncode == 0
    assert "did you mean refund?" in done.stderr


# Root may write everywhere, unless it gives that right away.
_AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()


@pytest.mark.skipif(
    bool(_AS_ANYBODY) and not shutil.which("setpriv"), reason="root, and no setpriv (util-linux)"
)
@pytest.mark.parametrize("command", [("chat",), ("serve", "--port", "0", "--no-worker")])
def test_a_project_that_cannot_be_written_is_told(
    shop: Path, run_agent: Run, command: tuple[str, ...]
) -> None:
    shutil.rmtree(shop / ".agent", ignore_errors=True)
    shop.chmod(0o500)
    try:
        arguments = (*command, "--project", str(shop))
        done = run_agent(*arguments, stdin="hello\n", through=_AS_ANYBODY)
    finally:
        shop.chmod(0o700)
    assert done.returncode in (1, 2)
    assert "writ" in clear_line(done.stderr)
