"""Continued self-supervised pretraining: the encoder guesses masked words of the domain's texts."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agent.understanding.casing import STRIDE
from agent.understanding.network import JointNetwork
from training.errors import InputError
from training.features import Tokenization, Tokens, pad
from training.options import Progress

_MASKED = 0.15
_BATCH = 32
_RATE = 5e-5
_HEAD_RATE = 1e-3
_WARMUP = 0.1
IGNORED = -100


def pretrain(
    network: JointNetwork,
    texts: Sequence[str],
    tokenization: Tokenization,
    *,
    epochs: float,
    pad_id: int,
    seed: int,
    progress: Progress,
) -> float:
    """Train the encoder in place to guess a masked seventh of the words; the last mean loss.

    The word embeddings stay, and are also what the guesses are compared with. Sources: Devlin et
    al. 2019, "BERT", section 3.1; Gururangan et al. 2020, "Don't stop pretraining".

    Raises:
        InputError: the encoder has no mask token.
    """
    mask_id = tokenization.mask_id
    if mask_id is None:
        raise InputError("--cure pretrain needs an encoder with a mask token; this one has none")
    rows = [t for t in tokenization.tokenize(sorted(set(texts))) if t.units]
    if not rows:
        return 0.0
    table = network.encoder.get_input_embeddings()
    table.requires_grad_(False)
    guess = _Guess(int(network.encoder.config.hidden_size), table).to(network.device)
    steps = max(1, round(epochs * len(rows) / _BATCH))
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in network.encoder.parameters() if p.requires_grad], "lr": _RATE},
            {"params": [p for p in guess.parameters() if p.requires_grad], "lr": _HEAD_RATE},
        ]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, steps))
    rng = np.random.default_rng(seed)
    network.train()
    losses: list[float] = []
    for step in range(steps):
        chosen = [rows[i] for i in rng.choice(len(rows), min(_BATCH, len(rows)), replace=False)]
        loss = _loss(network, guess, chosen, mask_id, pad_id, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        progress((step + 1) / steps, f"reading the domain, loss {losses[-1]:.2f}")
    return float(np.mean(losses[-max(1, steps // 10) :]))


class _Guess(nn.Module):
    """States (n, H) to logits over the vocabulary (n, V), tied to the word embeddings."""

    def __init__(self, size: int, table: nn.Embedding) -> None:
        super().__init__()
        self.dense = nn.Linear(size, table.embedding_dim)
        self.norm = nn.LayerNorm(table.embedding_dim)
        self.bias = nn.Parameter(torch.zeros(table.num_embeddings))
        self._weight = table.weight

    def forward(self, states: Tensor) -> Tensor:
        """The logits of each state."""
        return F.linear(self.norm(F.gelu(self.dense(states))), self._weight, self.bias)


def _loss(
    network: JointNetwork,
    guess: _Guess,
    rows: Sequence[Tokens],
    mask_id: int,
    pad_id: int,
    rng: np.random.Generator,
) -> Tensor:
    ids, mask = pad([row.ids for row in rows], pad_id)  # (B, T)
    ids %= STRIDE  # words are guessed, not how they are written
    wanted = np.full_like(ids, IGNORED)
    for place, row in enumerate(rows):
        words = np.array([unit.token for unit in row.units])
        hidden = words[rng.random(len(words)) < _MASKED]
        if not len(hidden):
            hidden = rng.choice(words, 1)
        wanted[place, hidden] = ids[place, hidden]
        ids[place, hidden] = mask_id
    device = network.device
    states = network.encoder(
        input_ids=torch.from_numpy(ids).to(device), attention_mask=torch.from_numpy(mask).to(device)
    )[0]  # (B, T, H)
    targets = torch.from_numpy(wanted).to(device)
    places = targets != IGNORED
    return F.cross_entropy(guess(states[places]).float(), targets[places])


def _share(step: int, steps: int) -> float:
    """The rate's share of its peak: a warm-up, then down to 0."""
    warm = max(1, round(_WARMUP * steps))
    return (step + 1) / warm if step < warm else (steps - step) / max(1, steps - warm)
