"""Cures for little and noisy data that change the loss: R-Drop, adversarial embeddings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agent.understanding.network import JointNetwork, JointOutput
from training.batches import IGNORED
from training.network.losses import logits_of


def disagreement(one: JointOutput, other: JointOutput, tags: Tensor) -> Tensor:
    """How far two passes over the same rows, each with its own dropout, differ (a scalar).

    The mean of both directions of the Kullback-Leibler divergence of every message-level head,
    and of the tags (B, T) where they are not ignored.
    Source: Liang et al. 2021, "R-Drop: Regularized Dropout for Neural Networks", equation 2.
    """
    first, second = logits_of(one), logits_of(other)
    losses = [_symmetric(first[name], second[name]) for name in first]
    told = tags != IGNORED
    if one.entity_logits is not None and other.entity_logits is not None and told.any():
        losses.append(_symmetric(one.entity_logits[told], other.entity_logits[told]))
    return torch.stack(losses).sum() if losses else torch.zeros(())


def halves(output: JointOutput) -> list[JointOutput]:
    """The outputs of a batch that holds each of its rows twice, one half after the other."""

    def half(values: Tensor | None, number: int) -> Tensor | None:
        return None if values is None else values.chunk(2)[number]

    return [
        JointOutput(
            pooled=half(output.pooled, number),
            intent_logits=half(output.intent_logits, number),
            entity_logits=half(output.entity_logits, number),
            head_logits={
                name: values.chunk(2)[number] for name, values in (output.head_logits or {}).items()
            }
            or None,
        )
        for number in range(2)
    ]


def _symmetric(one: Tensor, other: Tensor) -> Tensor:
    p, q = (F.log_softmax(logits.float(), dim=-1) for logits in (one, other))  # (B, C)
    there = F.kl_div(q, p, reduction="batchmean", log_target=True)
    back = F.kl_div(p, q, reduction="batchmean", log_target=True)
    return (there + back) / 2


class Adversary:
    """Shifts the word embeddings of a batch to where its loss grows fastest.

    One step is FGM (Miyato et al. 2017, "Adversarial training methods for semi-supervised text
    classification", equation 5); several, each followed by a projection back to the allowed
    size, are PGD (Madry et al. 2018, "Towards deep learning models resistant to adversarial
    attacks", section 2.1). The embeddings' outputs are shifted, so that frozen tables stay.

    Args:
        network: whose input embeddings are shifted.
        size: the length of the shift of a row, in standard deviations of an embedding's numbers
            times the square root of its size.
        steps: how many times the loss is looked at to find the shift.
    """

    def __init__(self, network: JointNetwork, size: float, steps: int = 1) -> None:
        self._embeddings: nn.Module = network.encoder.get_input_embeddings()
        self._size, self._steps = size, steps

    def loss(self, compute: Callable[[], Tensor]) -> Tensor:
        """The loss of the batch where it stands, and where the adversary shifts it, in equal parts.

        Args:
            compute: passes the batch through the network and gives its loss.
        """
        with self._hooked(lambda output: output.requires_grad_()) as seen:
            plain = compute()
        (gradient,) = torch.autograd.grad(plain, seen[-1], retain_graph=True)  # (B, T, H)
        radius = float(self._size * seen[-1].detach().std() * seen[-1].shape[-1] ** 0.5)
        shift = radius * _unit(gradient)
        for _ in range(self._steps - 1):
            shift = self._further(compute, shift, radius)
        with self._hooked(lambda output: output + shift):
            shifted = compute()
        return torch.stack([plain, shifted]).mean()

    def _further(self, compute: Callable[[], Tensor], shift: Tensor, radius: float) -> Tensor:
        """A step of PGD: on from a shift, and back to the radius where it leads beyond."""
        moved = shift.clone().requires_grad_()
        with self._hooked(lambda output: output.detach() + moved):
            (gradient,) = torch.autograd.grad(compute(), moved)
        found = shift + radius / self._steps * _unit(gradient)
        lengths = found.flatten(1).norm(dim=1)[:, None, None]
        nearer: Tensor = found * (radius / lengths.clamp(min=radius))
        return nearer

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


def _unit(gradient: Tensor) -> Tensor:
    """Each row (T, H) of a batch at length 1."""
    lengths = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
    unit: Tensor = gradient / lengths[:, None, None]
    return unit.detach()
