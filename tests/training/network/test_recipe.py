"""The defaults by the size of the data."""

import pytest

from agent.project.types import EntityAnnotation, Example, NluData
from training.corpus import read_corpus
from training.network.recipe import Recipe, choose_recipe
from training.options import TrainOptions


def recipe_for(count: int, *, entities: bool = False, **options: object) -> Recipe:
    spans = (EntityAnnotation(0, 4, "word", "text"),) if entities else ()
    rows = tuple(Example(f"text {i}", f"intent {i % 5}", spans) for i in range(count))
    return choose_recipe(read_corpus(NluData(rows)), TrainOptions(**options))  # type: ignore[arg-type]


def test_few_examples_are_seen_more_often() -> None:
    assert recipe_for(100).epochs > recipe_for(1000).epochs > recipe_for(4000).epochs


def test_a_large_set_is_seen_less_often_but_twice_at_least() -> None:
    assert recipe_for(50_000, entities=True).epochs == pytest.approx(4.0)
    assert recipe_for(30_000).epochs == pytest.approx(200_000 / 30_000 / 2)
    assert recipe_for(150_000).epochs == 2.0


def test_messages_enough_are_passed_twice_an_epoch_in_half_the_epochs() -> None:
    twice, once = recipe_for(10_000), recipe_for(10_000, entities=True)
    assert (twice.rdrop, once.rdrop) == (1.0, 0.0)
    assert twice.epochs * 2 == once.epochs


@pytest.mark.parametrize(
    ("count", "entities", "frozen"), [(200, False, 1 / 3), (200, True, 0.0), (3000, True, 1 / 3)]
)
def test_low_layers_rest_but_for_few_examples_with_entities(
    count: int, entities: bool, frozen: float
) -> None:
    assert recipe_for(count, entities=entities).freeze_share == frozen


def test_what_the_options_say_goes_first() -> None:
    recipe = recipe_for(50, epochs=3, batch_size=8, learning_rate=1e-5)
    assert (recipe.epochs, recipe.batch_size, recipe.encoder_rate) == (3.0, 8, 1e-5)
