"""A smaller network with what a larger one knows: fewer layers, taught by the larger's outputs."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agent.understanding.network import JointNetwork
from training.batches import Item
from training.errors import InputError
from training.network.losses import logits_of
from training.network.trainer import encoder_layers

_HEAT = 2.0


def shortened(network: JointNetwork) -> JointNetwork:
    """A copy with every second layer of the encoder, the last one among them, all to be trained.

    Source: Sanh et al. 2019, "DistilBERT", section 2.

    Raises:
        InputError: the encoder has no two layers, or counts them in another way.
    """
    small = copy.deepcopy(network)
    # What was frozen in the larger one has to learn what the layers left out did.
    small.requires_grad_(True)
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
    small.config.compressed = True
    small.config.encoder = {**(small.config.encoder or {}), "num_hidden_layers": layers}
    return small


def mixtures(items: Sequence[Item], copies: int, longest: int, seed: int) -> list[Item]:
    """Items that nobody wrote, for a teacher to label: one's beginning, another's end.

    `copies` for each item, of at most `longest` tokens, their own labels unknown. What a large
    network makes of texts beside and between the known ones tells a small one more than
    the known ones alone. Source: Jiao et al. 2020, "TinyBERT", section 3.2, whose texts have
    words exchanged.
    """
    rng = Random(seed)  # noqa: S311 - no secret
    return [_mixture(item, rng.choice(items), longest, rng) for item in list(items) * copies]


def _mixture(first: Item, second: Item, longest: int, rng: Random) -> Item:
    head, tail = first.tokens.ids, second.tokens.ids
    # A special token at each end stays where it is.
    head = head[: rng.randint(1, max(len(head) - 1, 1))]
    tail = tail[rng.randint(1, max(len(tail) - 1, 1)) :][-(longest - len(head)) :]
    return replace(
        first,
        tokens=replace(first.tokens, ids=head + tail, units=()),
        targets=dict.fromkeys(first.targets, -1),
        tags=(),
        outside=False,
    )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What teachers say of a batch: logits by output (B, C), tags (B, T, L), vectors (B, H)."""

    logits: Mapping[str, Tensor]
    tags: Tensor | None
    pooled: Tensor | None

    def rows(self, lengths: Sequence[int]) -> "list[Lesson]":
        """Each row alone, without its padding and in half precision."""
        return [
            Lesson(
                {name: values[row].half() for name, values in self.logits.items()},
                None if self.tags is None else self.tags[row, :length].half(),
                None if self.pooled is None else self.pooled[row].half(),
            )
            for row, length in enumerate(lengths)
        ]


def _together(rows: Sequence[Lesson]) -> Lesson:
    """Single rows as a batch again, padded to the longest."""
    names = rows[0].logits
    tags = [row.tags for row in rows if row.tags is not None]
    pooled = [row.pooled for row in rows if row.pooled is not None]
    return Lesson(
        {name: torch.stack([row.logits[name] for row in rows]) for name in names},
        nn.utils.rnn.pad_sequence(tags, batch_first=True) if tags else None,
        torch.stack(pooled) if pooled else None,
    )


@dataclass(frozen=True, slots=True)
class Teacher:
    """Trained networks whose outputs another one learns, beside the labels.

    Several teach the mean of their logits; only one teaches its vectors' directions, too.
    With `notes` (empty to begin with) each row is asked for once; for items that do not vary.
    """

    networks: tuple[JointNetwork, ...]
    notes: dict[int, Lesson] | None = None

    def loss(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """How far a batch's outputs are from the teacher's (a scalar).

        The divergence of every head's softened distribution, and of the pooled vectors'
        directions. Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".
        """
        lesson = self._lesson(batch)
        losses = [divergence(ours, lesson.logits[name]) for name, ours in logits_of(output).items()]
        if output.entity_logits is not None and lesson.tags is not None:
            tagged = batch["attention_mask"].bool()  # (B, T)
            losses.append(divergence(output.entity_logits[tagged], lesson.tags[tagged]))
        if lesson.pooled is not None:
            turned = 1 - (output.pooled.float() * lesson.pooled.float()).sum(dim=-1)  # (B,)
            losses.append(turned.mean())
        return torch.stack(losses).sum()

    def _lesson(self, batch: Mapping[str, Tensor]) -> Lesson:
        if self.notes is None:
            return self._taught(batch)
        rows = batch["rows"].tolist()
        if not all(row in self.notes for row in rows):
            lengths = batch["attention_mask"].sum(dim=1).tolist()
            self.notes.update(zip(rows, self._taught(batch).rows(lengths), strict=True))
        return _together([self.notes[row] for row in rows])

    def _taught(self, batch: Mapping[str, Tensor]) -> Lesson:
        said = [self._outputs(network, batch) for network in self.networks]
        logits = [logits_of(one) for one in said]
        tags = [one.entity_logits for one in said if one.entity_logits is not None]
        return Lesson(
            {name: torch.stack([one[name] for one in logits]).mean(dim=0) for name in logits[0]},
            torch.stack(tags).mean(dim=0) if tags else None,
            said[0].pooled if len(said) == 1 else None,
        )

    @staticmethod
    def _outputs(network: JointNetwork, batch: Mapping[str, Tensor]) -> Any:
        network.eval()
        with torch.no_grad():
            return network(batch["input_ids"], batch["attention_mask"])


def divergence(ours: Tensor, taught: Tensor) -> Tensor:
    """The mean divergence of rows of logits (n, C), at a temperature that shows the small ones."""
    if not len(ours):
        return ours.sum()
    found = F.log_softmax(ours.float() / _HEAT, dim=-1)
    wanted = F.log_softmax(taught.float() / _HEAT, dim=-1)
    return F.kl_div(found, wanted, reduction="batchmean", log_target=True) * _HEAT**2
