"""Method `lora`: small adapters are trained beside the frozen encoder and merged into it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import peft
from transformers import TrainerCallback, TrainerControl, TrainerState

from agent.understanding.network import JointNetwork
from training.network.recipe import Recipe
from training.options import Adapter

RANK = 16
# Adapters start at zero and take larger steps than pretrained weights.
_RATE = 1e-3


def add_adapters(network: JointNetwork, kind: Adapter, steps: int) -> None:
    """Freeze the encoder and put low-rank adapters on all its linear layers.

    Args:
        network: changed in place.
        kind: `lora` gives every layer the same rank, `adalora` begins with half as much again
            and takes it from the layers that need it least.
        steps: how many the training will have.

    Source: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models"; Zhang et al.
    2023, "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning".
    """
    common = {"lora_alpha": 2 * RANK, "lora_dropout": 0.05, "target_modules": "all-linear"}
    if kind == "lora":
        config = peft.LoraConfig(r=RANK, **common)
    else:
        config = peft.AdaLoraConfig(
            init_r=RANK + RANK // 2,
            target_r=RANK,
            tinit=steps // 10,
            tfinal=steps // 3,
            deltaT=max(1, steps // 50),
            total_step=max(steps, 3),
            **common,
        )
    with _quiet():
        network.encoder = peft.get_peft_model(network.encoder, config)


def allocations(network: JointNetwork) -> list[TrainerCallback]:
    """What shares the ranks out after each step, for an encoder with such adapters."""
    base = getattr(network.encoder, "base_model", None)
    return [_Allocation(base)] if isinstance(base, peft.AdaLoraModel) else []


class _Allocation(TrainerCallback):  # type: ignore[misc]
    """Takes and gives ranks while the gradients are there."""

    def __init__(self, base: Any) -> None:
        self._base = base

    def on_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> None:
        """Called between the optimizer's step and the clearing of the gradients."""
        self._base.update_and_allocate(state.global_step + 1)


def merge_adapters(network: JointNetwork) -> None:
    """Fold the adapters into the encoder's weights; the network is as without them, but wiser."""
    with _quiet():
        network.encoder = network.encoder.merge_and_unload()
    network.encoder.requires_grad_(True)


def adapter_recipe(recipe: Recipe) -> Recipe:
    """The recipe with the rates that suit adapters."""
    return replace(recipe, encoder_rate=_RATE, layer_decay=1.0, freeze_share=0.0)


@contextmanager
def _quiet() -> Iterator[None]:
    """The adapter library still asks transformers for names that are going away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
