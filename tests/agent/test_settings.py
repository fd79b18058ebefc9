from pathlib import Path

import pytest

from agent.errors import InputError
from agent.settings import load_settings


def write(folder: Path, text: str) -> Path:
    (folder / "settings.yml").write_text(text, encoding="utf-8")
    return folder


def test_a_projects_settings_override_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "actions:\n  timeout_s: 3\n"), {})
    assert settings.actions.timeout_s == 3
    assert settings.store.url == "embedded:"


def test_the_environment_overrides_both(tmp_path: Path) -> None:
    write(tmp_path, "actions:\n  timeout_s: 3\n")
    settings = load_settings(tmp_path, {"INTENT_AGENT_ACTIONS__TIMEOUT_S": "7.5"})
    assert settings.actions.timeout_s == 7.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("actions:\n  timeout: 3\n", "settings.yml: actions.timeout: unknown setting"),
        ("generator: openai\n", "settings.yml: generator: must be a section with any of kind, url"),
        ("action:\n  timeout_s: 3\n", "settings.yml: action: unknown setting"),
        ("knowledge:\n  floor: 2\n", "settings.yml: knowledge.floor: Input should be less than"),
        ("actions:\n  timeout_s: -1\n", "settings.yml: actions.timeout_s: "),
        ("actions: 5\n", "settings.yml: actions: "),
        ("- a list\n", "must be a mapping"),
        ("a: [\n", "settings.yml:2: not valid YAML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=r".") as caught:
        load_settings(write(tmp_path, text), {})
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_wrong_environment_variable_is_named() -> None:
    with pytest.raises(InputError, match="INTENT_AGENT_LOGGING__LEVEL"):
        load_settings(None, {"INTENT_AGENT_LOGGING__LEVEL": "loud"})
