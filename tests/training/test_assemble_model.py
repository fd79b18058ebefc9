"""A project becomes a model folder in production; a failure leaves the old one serving."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import ModelError
from agent.model_folder import verify
from agent.project import load_project
from agent.project.types import (
    ActionStep,
    EntityAnnotation,
    Example,
    NluData,
    OrStep,
    ProjectConfig,
    Rule,
    Story,
    UserStep,
)
from agent.registry import Registry
from agent.understanding.patterns import Matching
from knowledge.errors import AgentError
from tests.shop import write_shop
from tests.training.tiny import examples
from training import assemble_model
from training.assemble_model import (
    expects_fallback,
    hash_examples,
    matching_of,
    train_project,
    train_understanding_alone,
    with_extracted_patterns,
)
from training.challenger import challenger_trainer
from training.options import TrainOptions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop")


@pytest.fixture
def options(tiny_encoder: Path) -> TrainOptions:
    return TrainOptions(method="head", encoder=str(tiny_encoder), threads=1)


def test_a_trained_project_is_in_production_at_once(root: Path, options: TrainOptions) -> None:
    trained = train_project(root, options)
    serving = Registry(root).production()
    assert serving is not None
    assert serving.path == trained.model
    assert {path.name for path in trained.model.iterdir()} == {
        "examples.json",
        "manifest.json",
        "policies.json",
        "project.json",
        "report.md",
        "spelling.json",
        "spelling.npz",
        "tokenizer.json",
        "understanding.json",
        "understanding.onnx",
        "vectors.npy",
    }


def test_the_manifest_says_how_it_was_made(root: Path, options: TrainOptions) -> None:
    manifest = verify(train_project(root, replace(options, seed=3)).model)
    assert manifest["method"] == "head"
    assert manifest["seed"] == 3
    assert manifest["labels"]["entities"] == ["order_number"]
    assert manifest["data_hashes"]["nlu"] == hash_examples(load_project(root).nlu.examples)
    assert "onnxruntime" in manifest["libraries"]


def test_a_failure_leaves_the_old_model_and_no_remains(
    root: Path, options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_project(root, options).model

    def fail(*_: object, **__: object) -> None:
        raise AgentError("the disk is full")

    monkeypatch.setattr(assemble_model, "train_understanding", fail)
    with pytest.raises(AgentError, match="disk is full"):
        train_project(root, options)
    serving = Registry(root).production()
    assert serving is not None
    assert serving.path == first
    assert {path.name for path in (root / "models").iterdir() if path.is_dir()} == {first.name}


def test_out_becomes_the_model_folder_and_production_stays(
    root: Path, options: TrainOptions, tmp_path: Path
) -> None:
    out = tmp_path / "here" / "model"
    assert train_project(root, options, out=out).model == out
    assert verify(out)["id"] == "model"
    assert Registry(root).production() is None


def test_a_model_folder_at_out_is_replaced_and_anything_else_is_refused(
    root: Path, options: TrainOptions, tmp_path: Path
) -> None:
    nlu, out = load_project(root).nlu, tmp_path / "model"
    train_understanding_alone(nlu, out, options)
    train_understanding_alone(nlu, out, replace(options, seed=1))
    assert json.loads((out / "manifest.json").read_text())["seed"] == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(ModelError, match="no model folder"):
        train_understanding_alone(nlu, tmp_path / "other", options)


def test_a_challenger_is_written_into_the_folder_given(
    root: Path, options: TrainOptions, tmp_path: Path
) -> None:
    project, folder = load_project(root), tmp_path / "new"
    folder.mkdir()
    train = challenger_trainer(project, options)
    manifest = train(project.nlu, folder, Path("models/champion"))
    assert manifest["parent"] == "champion"
    assert (folder / "policies.json").is_file()


def test_the_hash_of_examples_does_not_depend_on_their_order() -> None:
    first, second = Example("hi", "greet"), Example("bye", "bye")
    assert hash_examples([first, second]) == hash_examples([second, first])
    assert hash_examples([first]) != hash_examples([replace(first, intent="bye")])


def test_an_annotated_value_is_the_spelling_of_itself_as_for_rasas_mapper() -> None:
    spans = (EntityAnnotation(3, 7, "city", "Rome"), EntityAnnotation(11, 14, "city", "Big Apple"))
    data = NluData((Example("to Rome or NYC", "go", spans),), synonyms={"nyc": "Big Apple"})
    spellings = {"nyc": "Big Apple", "big apple": "Big Apple", "rome": "Rome"}
    assert with_extracted_patterns(data, ()).synonyms == spellings
    mapper = ({"name": "DIETClassifier"}, {"name": "EntitySynonymMapper"})
    assert with_extracted_patterns(data, mapper).synonyms == spellings
    assert with_extracted_patterns(data, mapper[:1]).synonyms == {}


def test_a_placeholder_is_nobodys_spelling() -> None:
    masked = Example("pay <NAME>", "pay", (EntityAnnotation(4, 10, "person", "<NAME>"),))
    assert with_extracted_patterns(NluData((masked,)), ()).synonyms == {}


def test_out_of_scope_falls_back_only_in_a_project_that_expects_it(root: Path) -> None:
    project = load_project(root)
    silent = replace(project, stories=(), rules=(), root=root / "elsewhere")
    with_pipeline = ProjectConfig(pipeline=({"name": "DIETClassifier"},))
    assert expects_fallback(replace(silent, config=ProjectConfig()))
    assert not expects_fallback(replace(silent, config=with_pipeline))
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / "config.yml").write_text("recipe: default.v1\npipeline:\n")
    assert not expects_fallback(replace(silent, config=ProjectConfig()))
    acting = Rule("doubt", (UserStep("nlu_fallback"), ActionStep("utter_doubt")))
    assert expects_fallback(replace(silent, config=with_pipeline, rules=(acting,)))
    either = OrStep((UserStep("nlu_fallback"), UserStep("greet")))
    told = Story("doubt", (either, ActionStep("utter_doubt")))
    assert expects_fallback(replace(silent, config=with_pipeline, stories=(told,)))


def test_patterns_are_extracted_as_the_projects_pipeline_says() -> None:
    spans = (EntityAnnotation(0, 4, "pin", "1234"), EntityAnnotation(5, 9, "city", "York"))
    data = NluData((Example("1234 York", "go", spans),), {}, {"pin": (r"\d{4}",)})
    data = replace(data, lookups={"city": ("York",)}, synonyms={"1234": "1234", "york": "York"})
    extractor = {"name": "RegexEntityExtractor"}
    mapper = {"name": "EntitySynonymMapper"}
    assert with_extracted_patterns(data, ()) == data
    assert with_extracted_patterns(data, (extractor, mapper)) == data
    unseen = replace(data, examples=())
    assert with_extracted_patterns(unseen, (extractor,)).regexes == {}
    hints = with_extracted_patterns(data, ({"name": "RegexFeaturizer"},))
    assert (hints.regexes, hints.lookups) == ({}, {})
    no_words = with_extracted_patterns(data, ({**extractor, "use_lookup_tables": False},))
    assert (no_words.regexes, no_words.lookups) == (data.regexes, {})


def test_entities_are_learned_only_where_a_component_learns_them() -> None:
    spans = (EntityAnnotation(3, 7, "city", "Rome"),)
    data = NluData((Example("to Rome", "go", spans),), {}, {"city": ("Rome|Oslo",)})
    diet = {"name": "DIETClassifier", "entity_recognition": False}
    extractor = {"name": "RegexEntityExtractor"}
    (example,) = with_extracted_patterns(data, (diet, extractor)).examples
    assert example.entities == ()
    assert with_extracted_patterns(data, (diet, extractor)).regexes == data.regexes
    crf = {"name": "CRFEntityExtractor"}
    custom = {"name": "addons.Extractor"}
    for learner in (crf, custom, {"name": "DIETClassifier"}):
        (example,) = with_extracted_patterns(data, (diet, learner)).examples
        assert example.entities == spans


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here: needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_named_and_the_model_before_is_untouched(
    small_disk: Path, tiny_encoder: Path
) -> None:
    out = small_disk / "model"
    options = TrainOptions(encoder=str(tiny_encoder), threads=1, method="head")
    train_understanding_alone(examples(), out, options)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    full = small_disk / "full"
    with suppress(OSError), full.open("wb", buffering=0) as file:
        while file.write(b"x" * 1024):
            pass
    with pytest.raises(AgentError, match=r"cannot be written in .*small.* \(No space left"):
        train_understanding_alone(examples(), out, options)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    full.unlink()
    train_understanding_alone(examples(), out, options)


def test_patterns_match_as_the_extractor_is_told() -> None:
    extractor = {"name": "RegexEntityExtractor"}
    assert matching_of(()) == matching_of(({"name": "RegexFeaturizer"},)) == Matching()
    assert matching_of((extractor,)) == Matching(word_regexes=False)
    options = {"case_sensitive": True, "use_word_boundaries": False}
    assert matching_of(({**extractor, **options},)) == Matching(True, False, False)
