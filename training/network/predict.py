"""What a torch network says of items, in batches of similar length."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agent.understanding.bio import TaggedSpan, decode_logits
from agent.understanding.labels import SpanType
from agent.understanding.network import JointNetwork
from training.batches import Item
from training.features import pad
from training.network.losses import logits_of

Floats = NDArray[np.float32]

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits (n, C) by output, pooled vectors (n, H) and each item's spans."""

    logits: dict[str, Floats]
    pooled: Floats
    spans: list[list[TaggedSpan]]


def predict(
    network: JointNetwork,
    items: Sequence[Item],
    span_types: Sequence[SpanType],
    pad_id: int,
    follows: Floats | None = None,
) -> Predictions:
    """Run all items through the network in evaluation mode; results in their order.

    `follows` (L, L) is what steps between tags count, see `transitions.follow_scores`.
    """
    was_training = network.training
    network.eval()
    order = sorted(range(len(items)), key=lambda i: len(items[i].tokens.ids))
    rows: list[dict[str, Floats]] = [{}] * len(items)
    spans: list[list[TaggedSpan]] = [[] for _ in items]
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        values, tags = _forward(network, [items[i] for i in chosen], pad_id)
        for place, i in enumerate(chosen):
            rows[i] = {name: array[place] for name, array in values.items()}
            if tags is not None:
                spans[i] = decode_logits(items[i].tokens.units, tags[place], span_types, follows)
    network.train(was_training)
    names = [name for name in rows[0] if name != "pooled"]
    return Predictions(
        {name: np.stack([row[name] for row in rows]) for name in names},
        np.stack([row["pooled"] for row in rows]),
        spans,
    )


def _forward(
    network: JointNetwork, items: Sequence[Item], pad_id: int
) -> tuple[dict[str, Floats], Floats | None]:
    ids, mask = pad([item.tokens.ids for item in items], pad_id)
    device = network.device
    with torch.inference_mode(), mixed_precision(device):
        output = network(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
    values = {name: logits.float().cpu().numpy() for name, logits in logits_of(output).items()}
    values["pooled"] = output.pooled.float().cpu().numpy()
    tags = output.entity_logits
    return values, None if tags is None else tags.float().cpu().numpy()


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 arithmetic where the device has it, float32 elsewhere."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device))


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())
