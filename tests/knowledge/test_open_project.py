import os
from pathlib import Path

import pytest

from knowledge.errors import AgentError, InputError
from knowledge.open_index import read_state
from knowledge.open_project import (
    INDEX,
    files_changed,
    open_project_retriever,
    sync_project,
)
from knowledge.options import KnowledgeOptions
from tests.knowledge.fake_encoder import FakeEncoder

OPTIONS = KnowledgeOptions(encoder="fake")


@pytest.fixture
def project(documents: Path, encoder: FakeEncoder) -> Path:
    root = documents.parent
    sync_project(root, OPTIONS, encoder)
    return root


def test_a_folder_of_the_settings_belongs_to_the_project(
    project: Path, encoder: FakeEncoder
) -> None:
    (project / "more").mkdir()
    (project / "more" / "zebra.txt").write_text("A zebra.")
    options = KnowledgeOptions(folders=("more",), floor=0.0)
    assert sync_project(project, options, encoder).documents == 4
    best = open_project_retriever(project, options, encoder=encoder).search("zebra")[0]
    assert best.passage.document_id == "more/zebra.txt"


def test_a_missing_folder_is_named_with_its_setting(project: Path, encoder: FakeEncoder) -> None:
    with pytest.raises(InputError, match=r"nowhere: knowledge\.folders"):
        sync_project(project, KnowledgeOptions(folders=("nowhere",)), encoder)


def test_the_state_of_an_index_is_told_without_opening_it(project: Path) -> None:
    state = read_state(project / INDEX)
    assert (state.documents, state.passages, state.encoder) == (3, 4, "fake")
    assert state.search.kind == "exact"
    with pytest.raises(AgentError, match="agent knowledge index"):
        read_state(project / "nowhere")


@pytest.mark.parametrize("change", ["new", "changed", "gone", "touched"])
def test_a_change_of_the_files_is_noticed(project: Path, change: str) -> None:
    assert not files_changed(project, OPTIONS)
    hours = project / "knowledge" / "hours.txt"
    if change == "new":
        (project / "knowledge" / "new.md").write_text("x")
    elif change == "changed":
        hours.write_text("Closed.")
    elif change == "gone":
        hours.unlink()
    else:
        os.utime(hours, ns=(1, 1))
    assert files_changed(project, OPTIONS)


def test_a_file_that_cannot_be_read_is_no_news_for_ever(
    project: Path, encoder: FakeEncoder
) -> None:
    broken = project / "knowledge" / "broken.md"
    broken.write_bytes(b"\0\1")
    assert files_changed(project, OPTIONS)
    for _ in range(2):
        assert [one.path for one in sync_project(project, OPTIONS, encoder).skipped] == [
            "broken.md"
        ]
        assert not files_changed(project, OPTIONS)
    broken.write_text("Now it can be read.")
    assert files_changed(project, OPTIONS)
    assert sync_project(project, OPTIONS, encoder).added == 1
