"""A small project written file by file."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from agent.project import Project, read_project

MakeProject = Callable[..., Path]
ReadProject = Callable[..., Project]

DOMAIN = """\
version: "3.1"
intents: [greet, bye]
responses:
  utter_greet:
  - text: Hello
"""
NLU = """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi
    - hello
- intent: bye
  examples: |
    - bye
    - see you
"""
RULES = """\
version: "3.1"
rules:
- rule: greet
  steps:
  - intent: greet
  - action: utter_greet
- rule: bye
  steps:
  - intent: bye
  - action: utter_greet
"""
BASE = {"domain.yml": DOMAIN, "data/nlu.yml": NLU, "data/rules.yml": RULES}


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """Writes files (path → text, dedented) into a fresh folder and gives the folder."""

    def make(files: dict[str, str], *, base: bool = False) -> Path:
        root = tmp_path / "project"
        for name, text in ({**BASE, **files} if base else files).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return root

    return make


@pytest.fixture
def read(make_project: MakeProject) -> ReadProject:
    """Writes files and reads them as a project, with its errors among the notices."""

    def make(files: dict[str, str], *, base: bool = False) -> Project:
        return read_project(make_project(files, base=base))

    return make
