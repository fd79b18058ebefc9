import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import platformdirs
import pytest

from knowledge.home import config_dir, home


def test_the_environment_variable_names_the_user_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTENT_AGENT_HOME", str(tmp_path / "mine"))
    assert home() == tmp_path / "mine"


def test_without_the_variable_the_platform_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTENT_AGENT_HOME")
    assert home() == platformdirs.user_data_path("intent-agent", appauthor=False)


def test_in_a_checkout_config_stands_beside_the_rooms() -> None:
    assert (config_dir() / "assistants" / "bank").is_dir()


def test_in_an_installed_package_config_travels_inside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packaged = tmp_path / "agent" / "_config"
    packaged.mkdir(parents=True)
    spec = ModuleSpec("agent", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "agent")]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert config_dir() == packaged
