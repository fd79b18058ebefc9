"""The deployment examples name settings, commands and files that exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agent.__main__ import build_app
from agent.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "config" / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_names_a_setting(path: Path) -> None:
    for section, key in re.findall(r"INTENT_AGENT_([A-Z]+)__([A-Z_]+)", path.read_text("utf-8")):
        fields = Settings.model_fields[section.lower()].annotation
        assert key.lower() in fields.model_fields, f"{section}__{key}"  # type: ignore[union-attr]


def test_every_command_is_one_of_ours() -> None:
    known = {command.name for command in build_app().registered_commands}
    for path in DEPLOY.rglob("*.y*ml"):
        for document in YAML(typ="safe").load_all(path.read_text("utf-8")):
            for arguments in _arguments(document):
                if "redis-server" not in arguments:
                    assert arguments[0] in known, f"{path.name}: {arguments}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_images_are_pinned(path: Path) -> None:
    for image in re.findall(r"(?:^FROM|image:) (\S+)", path.read_text("utf-8"), re.MULTILINE):
        assert image == "intent-agent" or re.search(r":\d", image), image
        assert not image.endswith(":latest")


def test_the_image_copies_files_that_exist() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name


def test_kubernetes_resources_are_all_listed() -> None:
    folder = DEPLOY / "kubernetes"
    listed = YAML(typ="safe").load((folder / "kustomization.yaml").read_text("utf-8"))
    found = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed["resources"]) == found


def _arguments(value: Any) -> Iterator[list[str]]:
    """The argument lists of services and containers, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("command", "args") and isinstance(inner, list) and "exec" not in value:
                if inner[0] not in ("redis-cli", "python"):
                    yield inner
            else:
                yield from _arguments(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _arguments(inner)
