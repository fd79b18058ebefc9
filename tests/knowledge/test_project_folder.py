import threading
from pathlib import Path

import pytest

from knowledge.errors import AgentError, InputError
from knowledge.project_folder import bundled_assistant, find_project


@pytest.fixture
def user_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("INTENT_AGENT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_the_folder_asked_for_wins(tmp_path: Path) -> None:
    assert find_project(tmp_path) == tmp_path


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        find_project(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["domain.yml", "domain/"])
def test_the_current_folder_counts_when_it_holds_a_domain(
    user_home: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    else:
        path.write_text("version: '3.1'\n")
    assert find_project() == tmp_path


def test_elsewhere_the_bank_is_copied_once_and_keeps_changes(user_home: Path) -> None:
    project = find_project()
    assert project == user_home / "assistants" / "bank"
    assert (project / "domain").exists()
    (project / "mine.txt").write_text("kept")
    assert (find_project() / "mine.txt").read_text() == "kept"


def test_what_running_wrote_is_not_copied(
    user_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "config" / "assistants" / "bank"
    for name in (".agent/redis", "models/1", "data"):
        (source / name).mkdir(parents=True)
    monkeypatch.setattr("knowledge.project_folder.config_dir", lambda: tmp_path / "config")
    assert sorted(path.name for path in find_project().iterdir()) == ["data"]


def test_two_first_starts_at_once_make_one_whole_copy(user_home: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(find_project())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert sorted(path.name for path in (user_home / "assistants").iterdir()) == ["bank"]


def test_a_user_folder_that_cannot_be_written_is_explained(user_home: Path, tmp_path: Path) -> None:
    user_home.write_text("a file stands where the folder should be")
    with pytest.raises(AgentError, match="INTENT_AGENT_HOME"):
        find_project()


@pytest.mark.parametrize("name", ["", "nothing", "../assistants/bank", "."])
def test_an_unknown_bundled_assistant_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="bank"):
        bundled_assistant(name)
