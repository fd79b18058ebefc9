"""Cures for little and noisy data that change the loss: R-Drop, adversarial embeddings."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agent.understanding.network import JointNetwork, JointOutput
from training.losses import logits_of

# What `agent train --cure NAME` sets in the recipe, and to what unless a value is given.
CURES: Mapping[str, tuple[str, float]] = {
    "rdrop": ("rdrop", 1.0),
    "fgm": ("adversarial", 1.0),
    "smoothing": ("label_smoothing", 0.1),
    "hide": ("hide", 0.1),
    "swap": ("swap", 0.3),
}


def disagreement(one: JointOutput, other: JointOutput) -> Tensor:
    """How far two passes over the same rows, each with its own dropout, differ (a scalar).

    The mean of both directions of the Kullback-Leibler divergence of every message-level head.
    Source: Liang et al. 2021, "R-Drop: Regularized Dropout for Neural Networks", equation 2.
    """
    first, second = logits_of(one), logits_of(other)
    losses = [_symmetric(first[name], second[name]) for name in first]
    return torch.stack(losses).sum() if losses else torch.zeros(())


def _symmetric(one: Tensor, other: Tensor) -> Tensor:
    p, q = (F.log_softmax(logits.float(), dim=-1) for logits in (one, other))  # (B, C)
    there = F.kl_div(q, p, reduction="batchmean", log_target=True)
    back = F.kl_div(p, q, reduction="batchmean", log_target=True)
    return (there + back) / 2


class Adversary:
    """Shifts the word embeddings of a batch to where its loss grows fastest (FGM).

    Source: Miyato et al. 2017, "Adversarial training methods for semi-supervised text
    classification", equation 5. The embeddings' outputs are shifted, so that frozen tables stay.

    Args:
        network: whose input embeddings are shifted.
        size: the length of the shift of a row, in standard deviations of an embedding's numbers
            times the square root of its size.
    """

    def __init__(self, network: JointNetwork, size: float) -> None:
        self._embeddings: nn.Module = network.encoder.get_input_embeddings()
        self._size = size

    def loss(self, compute: Callable[[], Tensor]) -> Tensor:
        """The loss of the batch where it stands, and where the adversary shifts it, in equal parts.

        Args:
            compute: passes the batch through the network and gives its loss.
        """
        with self._hooked(lambda output: output.requires_grad_()) as seen:
            plain = compute()
        (gradient,) = torch.autograd.grad(plain, seen[-1], retain_graph=True)  # (B, T, H)
        norms = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
        scale = self._size * seen[-1].detach().std() * seen[-1].shape[-1] ** 0.5
        shift = (scale * gradient / norms).detach()
        with self._hooked(lambda output: output + shift):
            shifted = compute()
        return (plain + shifted) / 2

    @contextmanager
    def _hooked(self, change: Callable[[Tensor], Tensor]) -> Iterator[list[Tensor]]:
        """Change what the embeddings give while the block runs; the list holds what they gave."""
        seen: list[Tensor] = []

        def hook(_module: nn.Module, _given: Any, output: Tensor) -> Tensor:
            changed = change(output if output.requires_grad else output.detach())
            seen.append(changed)
            return changed

        handle = self._embeddings.register_forward_hook(hook)
        try:
            yield seen
        finally:
            handle.remove()
