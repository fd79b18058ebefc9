import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from agent.__main__ import build_app
from agent.settings import load_settings
from knowledge.home import config_dir

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(group, "commands", None)
    if inner is None:
        yield name, group
        return
    for word, command in inner.items():
        yield from commands(command, (*name, word))


ALL = dict(commands(typer.main.get_command(build_app())))
SHOWN = {name: command for name, command in ALL.items() if not command.hidden}


def test_ci_runs_the_readmes_test_command_to_the_letter() -> None:
    blocks = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
    (test_command,) = [block for block in blocks if "pytest" in block]
    assert test_command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_command_that_the_readme_names_exists() -> None:
    named = {tuple(found.split()[:1]) for found in re.findall(r"`agent ([a-z]+[a-z ]*)", README)}
    known = {name[:1] for name in ALL}
    assert named <= known


@pytest.mark.parametrize("name", sorted(SHOWN), ids=" ".join)
def test_every_command_says_what_it_does_with_an_example(name: tuple[str, ...]) -> None:
    text = SHOWN[name].help or ""
    assert "Example:" in text or "agent " in text, f"agent {' '.join(name)} has no example"


def test_every_setting_has_a_comment_before_it() -> None:
    lines = (config_dir() / "settings.yml").read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if re.match(r"  \w+:", line):
            assert before.strip().startswith("#"), f"{line.strip()} has no comment"


def test_every_setting_can_be_set_from_the_environment() -> None:
    settings = load_settings(None, {})
    for section, values in settings.model_dump().items():
        for key, value in values.items():
            name = f"INTENT_AGENT_{section.upper()}__{key.upper()}"
            given = value if isinstance(value, str) else json.dumps(value)
            changed = load_settings(None, {name: given})
            assert getattr(getattr(changed, section), key) == value, name
