"""A smaller network with what a larger one knows: fewer layers, taught by the larger's outputs."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agent.understanding.network import JointNetwork, JointOutput
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
    """A trained network whose outputs another one learns, beside the labels."""

    network: JointNetwork

    def loss(self, output: JointOutput, batch: Mapping[str, Tensor]) -> Tensor:
        """How far a batch's outputs are from the teacher's (a scalar).

        The divergence of every head's softened distribution, and of the pooled vectors'
        directions. Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".
        """
        self.network.eval()
        with torch.no_grad():
            taught = self.network(batch["input_ids"], batch["attention_mask"])
        assert output.pooled is not None
        assert taught.pooled is not None
        wanted = logits_of(taught)
        losses = [_divergence(ours, wanted[name]) for name, ours in logits_of(output).items()]
        if output.entity_logits is not None and taught.entity_logits is not None:
            tagged = batch["tags"] != IGNORED  # (B, T)
            losses.append(_divergence(output.entity_logits[tagged], taught.entity_logits[tagged]))
        turned = 1 - (output.pooled.float() * taught.pooled.float()).sum(dim=-1)  # (B,)
        return torch.stack([*losses, turned.mean()]).sum()


def _divergence(ours: Tensor, taught: Tensor) -> Tensor:
    """The mean divergence of rows of logits (n, C), at a temperature that shows the small ones."""
    if not len(ours):
        return ours.sum()
    found = F.log_softmax(ours.float() / _HEAT, dim=-1)
    wanted = F.log_softmax(taught.float() / _HEAT, dim=-1)
    return F.kl_div(found, wanted, reduction="batchmean", log_target=True) * _HEAT**2
