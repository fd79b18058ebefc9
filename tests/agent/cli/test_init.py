import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.cli import init
from agent.errors import AgentError, InputError


def run(*arguments: str) -> str:
    app = typer.Typer()
    init.register(app)
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_new_folder_gets_the_template(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "mine"
    output = run(str(target))
    assert (target / "config.yml").is_file()
    assert (target / "data").is_dir()
    assert os.access(target / "config.yml", os.W_OK)
    assert "agent chat" in output


def test_an_empty_folder_is_filled_in_place(tmp_path: Path) -> None:
    before = tmp_path.stat().st_ino
    run(str(tmp_path), "--template", "bank")
    assert (tmp_path / "config.yml").is_file()
    assert not (tmp_path / ".new").exists()
    assert tmp_path.stat().st_ino == before


def test_the_newsroom_is_there_to_read_news(tmp_path: Path) -> None:
    output = run(str(tmp_path / "desk"), "--template", "newsroom")
    assert "agent monitor" in output


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not empty"):
        run(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        run(str(file))


def test_an_unknown_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'shop'"):
        run(str(tmp_path / "x"), "--template", "shop")


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(init, "copy_assistant", fail)
    with pytest.raises(AgentError, match="cannot be written: Permission denied"):
        run(str(tmp_path / "x"))
