"""A network that went on from an earlier one is as sure of what both know as that one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.project.types import Example, NluData
from agent.understanding.confidence import softmax
from agent.understanding.labels import ScopeModel, load_spec, save_spec
from agent.understanding.runtime import Network
from training.finetune import train_understanding
from training.follow import follow_calibration
from training.options import TrainOptions

VERBS = {"book": "book a table in", "send": "send money to", "block": "block my card in"}
PLACES = ("paris", "london", "rome", "berlin", "china", "anna", "bob", "carla", "we", "bye")
BASE = tuple(Example(f"{say} {place}", intent) for intent, say in VERBS.items() for place in PLACES)
NEW = tuple(Example(f"hello {place}", "greet") for place in PLACES)


def trained(folder: Path, nlu: NluData, encoder: Path, init_from: Path | None = None) -> Path:
    options = TrainOptions(
        method="full", encoder=str(encoder), threads=1, epochs=3, init_from=init_from
    )
    folder.mkdir()
    train_understanding(nlu, folder, options)
    return folder


@pytest.fixture(scope="module")
def models(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model with a scope and thresholds of its own, and one that went on from it."""
    room = tmp_path_factory.mktemp("follow")
    first = trained(room / "first", NluData(BASE * 3), tiny_encoder)
    spec = load_spec(first)
    limits = replace(spec.thresholds, ambiguity=0.15, sharpness=2.5)
    heat = {"intent": spec.temperature("intent") * 1.5}
    scope = ScopeModel(("max_logit", "centre"), (2.0, 0.5), (1.0, 0.2), (1.0, 1.0), 3.0)
    save_spec(replace(spec, thresholds=limits, temperatures=heat, scope=scope), first)
    second = trained(room / "second", NluData((*BASE, *NEW)), tiny_encoder, init_from=first)
    return first, second


def test_its_mean_confidence_is_the_earlier_ones(models: tuple[Path, Path]) -> None:
    texts = [example.text for example in BASE]
    means = []
    for network in map(Network.load, models):
        logits = network.outputs(texts)["intent_logits"]
        probabilities = softmax(logits, network.spec.temperature("intent"))
        means.append(float(probabilities.max(axis=1).mean()))
    assert means[1] == pytest.approx(means[0], abs=0.005)


def test_thresholds_stay_and_new_intents_have_their_place(models: tuple[Path, Path]) -> None:
    first, second = map(load_spec, models)
    assert (second.thresholds.ambiguity, second.thresholds.sharpness) == (0.15, 2.5)
    assert set(second.classes) == {*first.classes, "greet"}


def test_what_both_know_is_as_much_in_scope(models: tuple[Path, Path]) -> None:
    texts = [example.text for example in BASE]
    scores = []
    for network in map(Network.load, models):
        features = network.scope_features(network.outputs(texts))
        scores.append(
            {
                name: (f - m) / s
                for (name, f), m, s in zip(
                    features.items(), network.spec.scope.mean, network.spec.scope.scale, strict=True
                )
            }
        )
    assert scores[0].keys() == scores[1].keys()
    for name, old in scores[0].items():
        places = (0.1, 0.5)
        assert np.quantile(scores[1][name], places) == pytest.approx(
            np.quantile(old, places), abs=0.05
        )


def test_with_few_messages_in_common_its_own_numbers_stay(
    models: tuple[Path, Path], tiny_encoder: Path, tmp_path: Path
) -> None:
    other = trained(tmp_path / "other", NluData((*BASE[:4], *NEW)), tiny_encoder)
    before = load_spec(other)
    assert follow_calibration(other, models[0]) == before
    assert np.isfinite(before.temperature("intent"))
