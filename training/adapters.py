"""Method `lora`: small adapters are trained beside the frozen encoder and merged into it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import peft

from agent.understanding.network import JointNetwork
from training.recipe import Recipe

RANK = 16
# Adapters start at zero and take larger steps than pretrained weights.
_RATE = 1e-3


def add_adapters(network: JointNetwork) -> None:
    """Freeze the encoder and put low-rank adapters on all its linear layers.

    Source: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models".
    """
    config = peft.LoraConfig(
        r=RANK, lora_alpha=2 * RANK, lora_dropout=0.05, target_modules="all-linear"
    )
    with _quiet():
        network.encoder = peft.get_peft_model(network.encoder, config)


def merge_adapters(network: JointNetwork) -> None:
    """Fold the adapters into the encoder's weights; the network is as without them, but wiser."""
    with _quiet():
        network.encoder = network.encoder.merge_and_unload()
    network.encoder.requires_grad_(True)


def adapter_recipe(recipe: Recipe) -> Recipe:
    """The recipe with the rates that suit adapters."""
    return replace(recipe, encoder_rate=_RATE, layer_decay=1.0)


@contextmanager
def _quiet() -> Iterator[None]:
    """The adapter library still asks transformers for names that are going away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
