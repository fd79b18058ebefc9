from pathlib import Path

import pytest

from agent.feedback.correction import Correction
from agent.settings import load_settings
from agent.storage.opening import open_store, project_id
from agent.storage.store import Store


def test_the_assistants_own_id_separates_projects(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text('recipe: x\nassistant_id: "my-bank"  # ours\n')
    assert project_id(tmp_path) == "my-bank"


def test_without_one_an_id_is_made_once_and_stays_when_the_folder_is_renamed(
    tmp_path: Path,
) -> None:
    before = tmp_path / "a"
    before.mkdir()
    made = project_id(before)
    before.rename(tmp_path / "b")
    assert project_id(tmp_path / "b") == made
    assert project_id(tmp_path / "c") != made


@pytest.mark.parametrize("name", ["bank", "a bank with blanks"])
async def test_an_embedded_store_keeps_its_data_when_the_folder_is_renamed(
    tmp_path: Path, name: str
) -> None:
    before = tmp_path / name
    before.mkdir()
    async with await Store.open("embedded:", before) as store:
        await store.add_correction(Correction("t", "intent", "ann", id="c1", intent="greet"))
    before.rename(tmp_path / "renamed")
    async with await Store.open("embedded:", tmp_path / "renamed") as store:
        assert (await store.correction("c1")) is not None


async def test_what_a_store_holds_is_kept_from_version_control(tmp_path: Path) -> None:
    settings = load_settings(environ={}).store
    async with await open_store(tmp_path, settings):
        assert (tmp_path / ".agent" / ".gitignore").read_text() == "*\n"
