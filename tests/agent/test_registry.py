import json
import os
import time
from pathlib import Path

import pytest

from agent.errors import ModelError
from agent.model_folder import install, temporary_in, verify
from agent.registry import ModelVersion, Registry


def publish(registry: Registry, text: str = "weights", **manifest: object) -> ModelVersion:
    folder = registry.temporary()
    (folder / "understanding.onnx").write_text(text)
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "tokenizer.json").write_text("{}")
    return registry.publish(folder, manifest)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_a_project_without_models_has_no_production_and_no_versions(registry: Registry) -> None:
    assert registry.production() is None
    assert registry.production_id() is None
    assert registry.versions() == []


def test_a_published_model_is_a_candidate_with_its_manifest(registry: Registry) -> None:
    version = publish(
        registry, data_hashes={"nlu": "abc"}, report={"accuracy": 0.9}, parent="before"
    )
    assert version.state == "candidate"
    assert (version.data_hashes, version.report, version.parent) == (
        {"nlu": "abc"},
        {"accuracy": 0.9},
        "before",
    )
    assert [v.id for v in registry.versions()] == [version.id]
    manifest = json.loads((version.path / "manifest.json").read_text())
    assert manifest["id"] == version.id
    assert manifest["format"] == 1
    assert manifest["files"]["tokenizer/tokenizer.json"]["bytes"] == 2


def test_nothing_unfinished_is_listed_or_served(registry: Registry) -> None:
    (registry.temporary() / "understanding.onnx").write_text("half")
    assert registry.versions() == []
    assert registry.production() is None


def test_a_promoted_model_serves_and_the_one_before_retires(registry: Registry) -> None:
    first, second = publish(registry), publish(registry, "better")
    registry.promote(first.id)
    registry.promote(second.id, by="learn", reason="won")
    production = registry.production()
    assert production is not None
    assert production.id == second.id
    assert {v.id: v.state for v in registry.versions()} == {
        first.id: "retired",
        second.id: "production",
    }
    assert [(p.id, p.previous, p.by) for p in registry.history()] == [
        (first.id, None, ""),
        (second.id, first.id, "learn"),
    ]


def test_rollback_goes_back_step_by_step_and_says_when_there_is_no_more(
    registry: Registry,
) -> None:
    ids = [publish(registry, text).id for text in "abc"]
    for one in ids:
        registry.promote(one)
    assert registry.rollback().id == ids[1]
    assert registry.rollback().id == ids[0]
    with pytest.raises(ModelError, match="nothing to go to"):
        registry.rollback()


def test_promoting_twice_does_not_make_rollback_stand_still(registry: Registry) -> None:
    first, second = publish(registry), publish(registry, "b")
    for one in (first, second, second):
        registry.promote(one.id)
    assert registry.rollback().id == first.id


def test_a_promotion_after_a_rollback_can_be_rolled_back_too(registry: Registry) -> None:
    first, second, third = (publish(registry, text) for text in "abc")
    registry.promote(first.id)
    registry.promote(second.id)
    registry.rollback()
    registry.promote(third.id)
    assert registry.rollback().id == first.id


def test_rollback_passes_over_a_version_whose_folder_was_deleted(registry: Registry) -> None:
    versions = [publish(registry, text) for text in "abc"]
    for one in versions:
        registry.promote(one.id)
    versions[1].path.rename(registry.folder.parent / "away")
    assert registry.rollback().id == versions[0].id


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_text("weig"), "understanding.onnx is truncated"),
        (lambda p: p.write_text("weightS"), "understanding.onnx was changed"),
        (lambda p: p.write_text("weights and more"), "understanding.onnx was changed"),
        (lambda p: p.unlink(), "understanding.onnx is missing"),
        (lambda p: (p.parent / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda p: (p.parent / "manifest.json").unlink(), "no finished model folder"),
        (lambda p: (p.parent / "manifest.json").write_text("[]"), "names no files"),
    ],
)
def test_a_damaged_folder_is_refused_with_the_file_at_fault(
    registry: Registry, damage: object, message: str
) -> None:
    version = publish(registry)
    damage(version.path / "understanding.onnx")  # type: ignore[operator]
    with pytest.raises(ModelError, match=message):
        verify(version.path)
    with pytest.raises(ModelError):
        registry.promote(version.id)
    assert registry.production() is None


def test_a_folder_of_a_newer_format_is_refused(registry: Registry) -> None:
    path = publish(registry).path / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ModelError, match="update intent-agent"):
        verify(path.parent)


def test_a_manifest_cannot_lead_out_of_its_folder(registry: Registry) -> None:
    path = publish(registry).path / "manifest.json"
    path.write_text(path.read_text().replace("understanding.onnx", "../../etc/passwd"))
    with pytest.raises(ModelError, match="bad entry"):
        verify(path.parent)


def test_a_link_in_a_model_folder_is_not_published(registry: Registry, tmp_path: Path) -> None:
    folder = registry.temporary()
    (folder / "network").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="is a link"):
        registry.publish(folder, {})


def test_an_empty_folder_is_not_published(registry: Registry) -> None:
    with pytest.raises(ModelError, match="no model to publish"):
        registry.publish(registry.temporary(), {})


def test_a_broken_version_is_listed_as_broken(registry: Registry) -> None:
    version = publish(registry)
    (version.path / "manifest.json").write_text("{")
    (listed,) = registry.versions()
    assert listed.state == "broken"
    assert listed.problem is not None
    assert "manifest.json" in listed.problem


def test_a_version_with_a_truncated_file_is_listed_as_broken(registry: Registry) -> None:
    version = publish(registry)
    (version.path / "understanding.onnx").write_text("")
    (found,) = registry.versions()
    assert found.state == "broken"
    assert "is truncated" in (found.problem or "")


def test_going_back_is_advised_only_where_there_is_another_model(registry: Registry) -> None:
    first = publish(registry)
    registry.promote(first.id)
    (first.path / "understanding.onnx").write_text("")
    with pytest.raises(ModelError) as alone:
        verify(first.path)
    registry.promote(publish(registry, "other").id)
    with pytest.raises(ModelError) as beside:
        verify(first.path)
    assert "rollback" not in str(alone.value)
    assert "rollback" in str(beside.value)


def test_a_pointer_to_a_missing_folder_says_what_to_do(registry: Registry) -> None:
    publish(registry)
    (registry.folder / "production").write_text("20260101T000000Z-abcdef01\n")
    with pytest.raises(ModelError, match="agent models rollback"):
        registry.production()


@pytest.mark.parametrize("text", ["../../etc", "a b", "/", "…"])
def test_a_pointer_with_no_id_in_it_is_refused(registry: Registry, text: str) -> None:
    publish(registry)
    (registry.folder / "production").write_text(text)
    with pytest.raises(ModelError, match="no model id"):
        registry.production()


def test_a_promotion_in_another_process_is_seen(registry: Registry, tmp_path: Path) -> None:
    first, second = publish(registry), publish(registry, "b")
    registry.promote(first.id)
    assert registry.production_id() == first.id
    Registry(tmp_path).promote(second.id)
    assert registry.production_id() == second.id


def test_a_crash_between_history_and_pointer_leaves_the_old_version_serving(
    registry: Registry,
) -> None:
    first, second, third = (publish(registry, text) for text in "abc")
    registry.promote(first.id)
    registry.promote(second.id)
    line = (registry.folder / "history.jsonl").read_text().splitlines()[-1]
    with (registry.folder / "history.jsonl").open("a") as file:
        file.write(line.replace(second.id, third.id) + "\n")
    assert registry.production_id() == second.id
    assert registry.rollback().id == first.id


def test_crashes_before_the_pointer_leave_no_trace_in_the_history(registry: Registry) -> None:
    first, second, phantom = (publish(registry, text) for text in "abc")
    registry.promote(first.id)
    line = (registry.folder / "history.jsonl").read_text()
    torn = line.replace('"previous": null', f'"previous": "{first.id}"')
    with (registry.folder / "history.jsonl").open("a") as file:
        file.write(torn.replace(f'"id": "{first.id}"', f'"id": "{phantom.id}"') * 2)
    registry.promote(second.id)
    assert [p.id for p in registry.history()] == [first.id, second.id]
    assert registry.rollback().id == first.id


def test_a_pointer_written_by_hand_keeps_the_history(registry: Registry) -> None:
    first, second = publish(registry), publish(registry, "b")
    registry.promote(first.id)
    (registry.folder / "production").write_text(second.id)
    assert [p.id for p in registry.history()] == [first.id]
    assert registry.rollback().id == first.id


def test_a_torn_line_of_the_history_is_left_out(registry: Registry) -> None:
    first, second = publish(registry), publish(registry, "b")
    registry.promote(first.id)
    with (registry.folder / "history.jsonl").open("a") as file:
        file.write('{"at": "2026')
    registry.promote(second.id)
    assert [p.id for p in registry.history()] == [first.id, second.id]


def test_leftovers_of_a_crash_are_removed_after_a_day(registry: Registry) -> None:
    old, young = registry.temporary(), registry.temporary()
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    registry.temporary()
    assert not old.exists()
    assert young.exists()


def test_leftovers_of_a_crash_beside_a_folder_of_ones_own_are_removed_too(tmp_path: Path) -> None:
    left, swapped = temporary_in(tmp_path), temporary_in(tmp_path)
    (swapped / "old").mkdir()
    yesterday = time.time() - 25 * 3600
    for folder in (swapped / "old", swapped, left):
        os.utime(folder, (yesterday, yesterday))
    temporary_in(tmp_path)
    assert not left.exists()
    assert (swapped / "old").exists(), "a model that was set aside when the power went is kept"


def test_an_id_may_be_shortened_if_one_fits(registry: Registry) -> None:
    first, _ = publish(registry), publish(registry, "b")
    assert registry.version(first.id.split("-")[1]).id == first.id
    with pytest.raises(ModelError, match="several models fit"):
        registry.version(first.id[:2])
    with pytest.raises(ModelError, match="there is no model 'nope'"):
        registry.version("nope")


def test_equal_models_of_one_second_get_different_names(registry: Registry) -> None:
    assert len({publish(registry).id for _ in range(3)}) == 3


def test_an_own_folder_becomes_the_model_folder_and_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "model"
    for text in ("one", "two"):
        folder = temporary_in(out.parent)
        (folder / "understanding.onnx").write_text(text)
        install(folder, {}, out)
        assert (out / "understanding.onnx").read_text() == text
        verify(out)
    assert [path.name for path in out.parent.iterdir()] == ["model"]


def test_an_own_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    folder = temporary_in(tmp_path)
    (folder / "understanding.onnx").write_text("x")
    with pytest.raises(ModelError, match="is no model folder"):
        install(folder, {}, out)
    assert (out / "thesis.txt").exists()


def test_a_folder_that_cannot_be_made_is_a_clear_line(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(ModelError, match="cannot make"):
        Registry(tmp_path).temporary()
