"""Fixtures for all rooms: a user folder of the session's own, a small trained project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from tests.shop import write_shop

Run = Callable[..., "subprocess.CompletedProcess[str]"]

# No test fails on a clock. Where CI is set, Hypothesis does so by itself, and draws no new cases.
settings.register_profile("unhurried", deadline=None)
if "CI" not in os.environ:
    settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test touches the real user folder; INTENT_AGENT_TEST_HOME keeps one between runs."""
    kept = os.environ.get("INTENT_AGENT_TEST_HOME")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTENT_AGENT_HOME", str(folder))
        patch.setenv("NO_COLOR", "1")
        yield folder


@pytest.fixture(scope="session")
def trained_shop(user_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with a model of method `head`; not to be changed, see `shop`."""
    root = write_shop(tmp_path_factory.mktemp("shop") / "shop")
    done = agent("train", "--method", "head", "--project", str(root))
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def shop(trained_shop: Path, tmp_path: Path) -> Path:
    """A copy of the small trained project."""
    return Path(shutil.copytree(trained_shop, tmp_path / "shop"))


@pytest.fixture
def run_agent(user_folder: Path) -> Run:
    """Runs the command line in a process of its own: `run_agent("chat", stdin="hi\\n")`."""
    return agent


def agent(
    *arguments: str,
    stdin: str = "",
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    through: Sequence[str] = (),
) -> "subprocess.CompletedProcess[str]":
    """The command line in a child process, bounded in time; `through` is a command around it."""
    return subprocess.run(
        [*through, sys.executable, "-m", "agent", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=300,
    )
