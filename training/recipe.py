"""How a network is fine-tuned: every number with its default, chosen by the size of the data."""

from dataclasses import dataclass, replace

from training.corpus import Corpus
from training.options import TrainOptions


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of a fine-tuning run.

    Rates are AdamW's at their peak: `encoder_rate` for the top layer, times `layer_decay`
    for each layer below it, `head_rate` for the heads. `entity_weight` and `contrast_weight`
    scale those losses against the intent's. `swap` is the share of examples shown with
    other values in their entities, `patience` how many evaluations without gain end the run.
    """

    epochs: float = 10.0
    batch_size: int = 32
    accumulate: int = 1
    encoder_rate: float = 1e-4
    head_rate: float = 1e-3
    layer_decay: float = 0.9
    freeze_embeddings: bool = True
    warmup: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    dropout: float = 0.1
    entity_weight: float = 1.0
    contrast_weight: float = 0.0
    contrast_temperature: float = 0.1
    swap: float = 0.0
    evaluations: int = 10
    patience: int = 4


def choose_recipe(corpus: Corpus, options: TrainOptions) -> Recipe:
    """The defaults for this amount of data, with what the options say instead."""
    recipe = Recipe()
    if options.epochs is not None:
        recipe = replace(recipe, epochs=float(options.epochs))
    if options.batch_size is not None:
        recipe = replace(recipe, batch_size=options.batch_size)
    if options.learning_rate is not None:
        recipe = replace(recipe, encoder_rate=options.learning_rate)
    return recipe
