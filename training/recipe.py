"""How a network is fine-tuned: every number with its default, chosen by the size of the data."""

from dataclasses import dataclass, replace

from training.corpus import Corpus
from training.options import TrainOptions


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of a fine-tuning run.

    Rates are AdamW's at their peak: `encoder_rate` for the top layer, times `layer_decay`
    for each layer below it, `head_rate` for the heads. `freeze_layers` counts the lowest
    layers that stay as they are. `entity_weight`, `contrast_weight`
    and `oos_weight` scale those losses against the intent's. `swap` and `hide` are the chances
    that an entity is shown with another value and a word masked; `patience` is how many
    evaluations without gain end the run.
    """

    epochs: float = 10.0
    batch_size: int = 32
    accumulate: int = 1
    encoder_rate: float = 1e-4
    head_rate: float = 1e-3
    layer_decay: float = 0.9
    freeze_embeddings: bool = True
    freeze_layers: int = 0
    warmup: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    dropout: float = 0.1
    entity_weight: float = 1.0
    oos_weight: float = 0.5
    contrast_weight: float = 0.0
    contrast_temperature: float = 0.1
    swap: float = 0.0
    hide: float = 0.0
    evaluations: int = 10
    patience: int = 4


# Below this many steps a fresh entity head has not learned much.
_FEWEST_STEPS = 300
_MOST_EPOCHS = 40.0


def _by_size(count: int) -> Recipe:
    recipe = Recipe()
    enough = _FEWEST_STEPS * recipe.batch_size / max(count, 1)
    return replace(recipe, epochs=max(recipe.epochs, min(_MOST_EPOCHS, enough)))


def choose_recipe(corpus: Corpus, options: TrainOptions) -> Recipe:
    """The defaults for this amount of data, with what the options say instead."""
    recipe = _by_size(len(corpus.examples))
    if options.epochs is not None:
        recipe = replace(recipe, epochs=float(options.epochs))
    if options.batch_size is not None:
        recipe = replace(recipe, batch_size=options.batch_size)
    if options.learning_rate is not None:
        recipe = replace(recipe, encoder_rate=options.learning_rate)
    return recipe
