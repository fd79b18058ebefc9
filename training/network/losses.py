"""What fine-tuning minimizes: weighted cross entropy of each head, and a contrast of intents."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from agent.understanding.network import JointOutput
from training.batches import IGNORED
from training.network.recipe import Recipe


def joint_loss(
    output: JointOutput,
    batch: Mapping[str, Tensor],
    recipe: Recipe,
    bank: "ContrastBank | None" = None,
) -> Tensor:
    """The sum of all heads' losses (a scalar), each a mean over its labelled rows.

    An example's weight scales its share; rows without a label (-100) count for nothing.
    With a `bank`, a contrast of the pooled vectors with all training examples' is added.
    """
    weights = batch["weights"]
    losses = [
        _mean_loss(
            logits,
            batch[f"target_{name}"],
            weights * batch["balance"] if name == "intent" else weights,
            recipe.label_smoothing,
        )
        for name, logits in logits_of(output).items()
    ]
    if recipe.oos_weight and output.intent_logits is not None:
        losses.append(recipe.oos_weight * exposure(output.intent_logits, batch["outside"]))
    if output.entity_logits is not None:
        losses.append(
            recipe.entity_weight * _tag_loss(output.entity_logits, batch["tags"], weights)
        )
    if bank is not None:
        losses.append(recipe.contrast_weight * bank.loss(output.pooled, batch))
    return torch.stack(losses).sum()


def exposure(logits: Tensor, outside: Tensor) -> Tensor:
    """How far the intents (B, I) of rows outside every intent are from all being as likely.

    Source: Hendrycks et al. 2019, "Deep Anomaly Detection with Outlier Exposure". A mean
    over the batch, so that a lone row does not weigh as much as all others together.
    """
    losses = -F.log_softmax(logits.float(), dim=-1).mean(dim=-1) * outside  # (B,)
    return losses.sum() / len(losses)


def logits_of(output: JointOutput) -> dict[str, Tensor]:
    """The message-level logits by output name."""
    found = {"intent": output.intent_logits}
    found.update({f"head_{n}": logits for n, logits in (output.head_logits or {}).items()})
    return {name: logits for name, logits in found.items() if logits is not None}


def _mean_loss(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    losses = F.cross_entropy(
        logits.float(), targets, ignore_index=IGNORED, reduction="none", label_smoothing=smoothing
    )  # (B,)
    shares = weights * (targets != IGNORED)
    return (losses * shares).sum() / shares.sum().clamp(min=1e-6)


def _tag_loss(logits: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
    losses = F.cross_entropy(
        logits.float().flatten(0, 1), tags.flatten(), ignore_index=IGNORED, reduction="none"
    )  # (B * T,)
    shares = (weights.unsqueeze(1) * (tags != IGNORED)).flatten()
    return (losses * shares).sum() / shares.sum().clamp(min=1e-6)


class ContrastBank:
    """Every training example's last seen unit vector, to contrast a batch with.

    Pulls vectors of one intent together and others apart. Source: Khosla et al. 2020,
    "Supervised Contrastive Learning", equation 2, with a memory bank (Wu et al. 2018) in
    place of large batches.
    """

    def __init__(self, vectors: Tensor, targets: Tensor, temperature: float) -> None:
        self._vectors, self._targets = vectors, targets  # (N, H), (N,)
        self._temperature = temperature

    def loss(self, pooled: Tensor | None, batch: Mapping[str, Tensor]) -> Tensor:
        """The contrast of a batch's vectors (B, H), which then replace their rows here."""
        assert pooled is not None
        rows = batch["rows"]
        vectors = pooled.float()
        similar = vectors @ self._vectors.T / self._temperature  # (B, N)
        similar = similar.scatter(1, rows[:, None], -1e4)
        partners = self._targets[None, :] == self._targets[rows][:, None]
        partners = partners.scatter(1, rows[:, None], False)
        partners &= (self._targets[rows] >= 0)[:, None]
        log_share = similar - torch.logsumexp(similar, dim=1, keepdim=True)
        counts = partners.sum(dim=1)
        each = -(log_share * partners).sum(dim=1) / counts.clamp(min=1)
        # A copy: this step's gradient still needs the old rows.
        self._vectors = self._vectors.index_copy(0, rows, vectors.detach())
        anchors = counts > 0
        return (each * anchors).sum() / anchors.sum().clamp(min=1)
