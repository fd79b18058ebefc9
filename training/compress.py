"""A smaller network with what a larger one knows: fewer layers, taught by the larger's outputs."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agent.understanding.network import JointNetwork
from training.batches import IGNORED
from training.errors import InputError
from training.losses import logits_of
from training.trainer import encoder_layers

_HEAT = 2.0


def shortened(network: JointNetwork) -> JointNetwork:
    """A copy with every second layer of the encoder, the last one among them.

    Source: Sanh et al. 2019, "DistilBERT", section 2.

    Raises:
        InputError: the encoder has no two layers, or counts them in another way.
    """
    small = copy.deepcopy(network)
    every = encoder_layers(small.encoder)
    layers = len(every) // 2
    if not layers or getattr(small.encoder.config, "num_hidden_layers", 0) != len(every):
        raise InputError("this encoder's layers cannot be halved; train without --compress")
    kept = every[len(every) % 2 + 1 :: 2]
    for module in small.encoder.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and list(child) == every:
                setattr(module, name, nn.ModuleList(kept))
    small.encoder.config.num_hidden_layers = layers
    small.config.encoder = {**(small.config.encoder or {}), "num_hidden_layers": layers}
    return small


@dataclass(frozen=True, slots=True)
class Teacher:
    """Trained networks whose outputs another one learns, beside the labels.

    Several teach the mean of their logits; only one teaches its vectors' directions, too.
    """

    networks: tuple[JointNetwork, ...]

    def loss(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """How far a batch's outputs are from the teacher's (a scalar).

        The divergence of every head's softened distribution, and of the pooled vectors'
        directions. Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".
        """
        taught = [self._outputs(network, batch) for network in self.networks]
        wanted = [logits_of(one) for one in taught]
        losses = [
            _divergence(ours, torch.stack([one[name] for one in wanted]).mean(dim=0))
            for name, ours in logits_of(output).items()
        ]
        if output.entity_logits is not None:
            tagged = batch["tags"] != IGNORED  # (B, T)
            tags = torch.stack([one.entity_logits for one in taught]).mean(dim=0)
            losses.append(_divergence(output.entity_logits[tagged], tags[tagged]))
        if len(taught) == 1:
            turned = 1 - (output.pooled.float() * taught[0].pooled.float()).sum(dim=-1)  # (B,)
            losses.append(turned.mean())
        return torch.stack(losses).sum()

    @staticmethod
    def _outputs(network: JointNetwork, batch: Mapping[str, Tensor]) -> Any:
        network.eval()
        with torch.no_grad():
            return network(batch["input_ids"], batch["attention_mask"])


def _divergence(ours: Tensor, taught: Tensor) -> Tensor:
    """The mean divergence of rows of logits (n, C), at a temperature that shows the small ones."""
    if not len(ours):
        return ours.sum()
    found = F.log_softmax(ours.float() / _HEAT, dim=-1)
    wanted = F.log_softmax(taught.float() / _HEAT, dim=-1)
    return F.kl_div(found, wanted, reduction="batchmean", log_target=True) * _HEAT**2
