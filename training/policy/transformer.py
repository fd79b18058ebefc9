"""The learned policy as a small transformer over dialogue states [door: torch]."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.dialogue.learned import LearnedSpec
from agent.dialogue.tokens import state_tokens
from training.policy.examples import Forgetting, Turn, with_forgetful_copies

OPSET = 17
MOST_PASSES = 120


@dataclass(frozen=True, slots=True)
class TransformerOptions:
    """Sizes and training; `steps` are batches, at least one pass over all examples is made."""

    history: int = 8
    width: int = 64
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    batch: int = 64
    steps: int = 600
    learning_rate: float = 3e-3


class DialogueTransformer(nn.Module):
    """Token ids of the latest states to scores of the next action."""

    def __init__(self, tokens: int, actions: int, options: TransformerOptions) -> None:
        super().__init__()
        width = options.width
        self.tokens = nn.Embedding(tokens + 1, width, padding_idx=0)
        self.places = nn.Parameter(torch.randn(options.history, width) * 0.02)
        self.layers = nn.ModuleList(_Layer(options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(options.dropout)
        self.actions = nn.Linear(width, actions)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (B, A) of ids (B, T, F); a state without tokens is padding."""
        present = (ids != 0).any(dim=2)  # (B, T)
        # The latest state always counts, even if all its tokens are unknown.
        present = torch.cat([present[:, :-1], torch.ones_like(present[:, :1])], dim=1)
        hidden = self.dropout(self.tokens(ids).sum(dim=2) + self.places)  # (B, T, H)
        for layer in self.layers:
            hidden = layer(hidden, present)
        scores: Tensor = self.actions(self.norm(hidden[:, -1]))  # (B, A)
        return scores


class _Layer(nn.Module):
    """Pre-norm self-attention and a feed-forward block."""

    def __init__(self, options: TransformerOptions) -> None:
        super().__init__()
        width = options.width
        self.heads = options.heads
        self.attention_norm, self.block_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.block = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        batch, length, width = hidden.shape
        mixed = self.query_key_value(self.attention_norm(hidden))  # (B, T, 3H)
        mixed = mixed.view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)  # (B, heads, T, H / heads)
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // self.heads)
        scores = scores.masked_fill(~present[:, None, None, :], -1e9)  # (B, heads, T, T)
        seen = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, length, width)
        hidden = hidden + self.dropout(self.output(seen))
        mixed_in: Tensor = hidden + self.dropout(self.block(self.block_norm(hidden)))
        return mixed_in


class _Probabilities(nn.Module):
    """What is exported: ids to probabilities."""

    def __init__(self, network: DialogueTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> Tensor:
        probabilities: Tensor = self.network(ids).softmax(dim=-1)
        return probabilities


def fit_dialogue_transformer(
    turns: Sequence[Turn],
    *,
    seed: int = 0,
    options: TransformerOptions | None = None,
    forgetting: Forgetting | None = None,
) -> tuple[bytes, LearnedSpec]:
    """Train the network on turns of at most `history` + 1 states; as ONNX, and its spec."""
    options = options or TransformerOptions()
    weights = with_forgetful_copies(turns, forgetting or Forgetting(), seed)
    tokenized = [state_tokens(states)[-options.history :] for states, _ in weights]
    actions = tuple(sorted({action for _, action in weights}))
    tokens = tuple(dict.fromkeys(t for states in tokenized for state in states for t in state))
    numbers = {token: i for i, token in enumerate(tokens, start=1)}
    places = {action: i for i, action in enumerate(actions)}
    spec = LearnedSpec(tokens, actions, options.history, "transformer")
    data = _Data(
        ids=_ids(tokenized, numbers, options.history),
        targets=np.array([places[action] for _, action in weights], np.int64),
        weights=np.fromiter(weights.values(), np.float32),
    )
    torch.manual_seed(seed)
    network = DialogueTransformer(len(tokens), len(actions), options)
    _train(network, data, options, seed)
    return _export(network, options.history), spec


@dataclass(frozen=True, slots=True)
class _Data:
    """`ids` (n, T, F), `targets` (n,), `weights` (n,)."""

    ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]


def _ids(
    tokenized: Sequence[Sequence[Sequence[str]]], numbers: dict[str, int], history: int
) -> NDArray[np.int64]:
    most = max((len(state) for states in tokenized for state in states), default=1)
    ids = np.zeros((len(tokenized), history, max(1, most)), np.int64)
    for row, states in zip(ids, tokenized, strict=True):
        for place, state in zip(row[history - len(states) :], states, strict=True):
            place[: len(state)] = [numbers[token] for token in state]
    return ids


def _train(
    network: DialogueTransformer, data: _Data, options: TransformerOptions, seed: int
) -> None:
    random = np.random.default_rng(seed)
    count = len(data.targets)
    passes = min(max(1, round(options.steps * options.batch / count)), MOST_PASSES)
    batches = math.ceil(count / options.batch)
    optimizer = torch.optim.AdamW(network.parameters(), options.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=passes * batches, pct_start=0.1
    )
    lossy = nn.CrossEntropyLoss(reduction="none")
    network.train()
    for _ in range(passes):
        for rows in np.array_split(random.permutation(count), batches):
            losses = lossy(
                network(torch.from_numpy(data.ids[rows])), torch.from_numpy(data.targets[rows])
            )
            weights = torch.from_numpy(data.weights[rows])
            loss = (losses * weights).sum() / weights.sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    network.eval()


def _export(network: DialogueTransformer, history: int) -> bytes:
    example = torch.ones(1, history, 3, dtype=torch.int64)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # The TorchScript exporter announces its successor; the design says why it is used.
        warnings.simplefilter("ignore")
        path = Path(folder) / "dialogue.onnx"
        torch.onnx.export(
            _Probabilities(network),
            (example,),
            path,
            input_names=["ids"],
            output_names=["probabilities"],
            dynamic_axes={"ids": {2: "F"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()
