import pytest

from agent.project.types import Example, NluData
from knowledge.errors import InputError
from tests.training.tiny import examples
from training.options import TrainOptions
from training.testing.cross_validate import cross_validate


def test_every_example_is_judged_once_by_a_model_that_never_saw_it(tiny_encoder: object) -> None:
    data, shares = examples(), []
    options = TrainOptions(
        "head", str(tiny_encoder), progress=lambda done, text: shares.append((done, text))
    )
    found = cross_validate(data, options, 3)
    assert sorted(found.texts) == sorted(e.text for e in data.examples)
    assert found.probabilities.shape == (len(data.examples), len(found.labels))
    assert found.probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert len(found.gold_spans) == len(data.examples)
    assert [done for done, _ in shares] == sorted(done for done, _ in shares)
    assert shares[-1][0] == 1.0


def test_an_intent_that_only_one_fold_has_is_wrong_there_and_breaks_nothing(
    tiny_encoder: object,
) -> None:
    data = NluData((*examples().examples, Example("we need it now", "rare")))
    found = cross_validate(data, TrainOptions("head", str(tiny_encoder)), 2)
    rare = found.gold.index("rare")
    assert found.predicted[rare] != "rare"
    assert set(found.labels) == {"book", "send", "greet", "rare"}


def test_fewer_examples_than_folds_are_refused() -> None:
    data = NluData((Example("hello", "greet"),))
    with pytest.raises(InputError, match="cannot be split"):
        cross_validate(data, TrainOptions("head"), 5)
