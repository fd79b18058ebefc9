"""The joint network: one encoder, an intent head on its pooled state, a BIO head on its tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from agent.errors import ModelError
from agent.understanding.casing import CLASSES, PLAIN, STRIDE
from knowledge.encoder_source import source_folder
from knowledge.encoder_spec import read_pipeline
from knowledge.errors import InputError

WEIGHTS_FILE = "network.safetensors"
CONFIG_FILE = "config.json"
_HIDDEN = 0.3
# What transformers raises for a folder that holds no model it knows.
_UNLOADABLE = (OSError, ValueError, KeyError, ImportError, RuntimeError)


class JointConfig(PreTrainedConfig):  # type: ignore[misc]
    """Labels and encoder of a `JointNetwork`.

    `encoder` is the encoder's own configuration as a dict; `pooling` is mean, cls, max or
    last; `casing` says that ids carry how words are written, `compressed` that layers of the
    encoder were left out; `intents` are the classes of the intent head, a retrieval intent's
    by their keys; `heads` maps each further head to its labels.
    """

    model_type = "intent_agent_joint"
    encoder: dict[str, Any] | None = None
    encoder_name: str = ""
    pooling: str = "mean"
    intents: list[str] | None = None
    tags: list[str] | None = None
    heads: dict[str, list[str]] | None = None
    head_dropout: float = 0.1
    casing: bool = False
    compressed: bool = False


@dataclass
class JointOutput(ModelOutput):  # type: ignore[misc]
    """What the network says of a batch; an output without labels is None.

    `pooled` (B, H) unit length, `intent_logits` (B, I), `entity_logits` (B, T, L),
    `head_logits` {name: (B, C)}.
    """

    pooled: Tensor | None = None
    intent_logits: Tensor | None = None
    entity_logits: Tensor | None = None
    head_logits: dict[str, Tensor] | None = None


class JointNetwork(PreTrainedModel):  # type: ignore[misc]
    """Understands a message: intents, spans and further labels in one pass."""

    config_class = JointConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: JointConfig, encoder: Any = None) -> None:
        super().__init__(config)
        if encoder is None:
            encoder = AutoModel.from_config(AutoConfig.for_model(**(config.encoder or {})))
        self.encoder = without_pooler(encoder)
        size = int(self.encoder.config.hidden_size)
        self.dropout = nn.Dropout(config.head_dropout)
        self.casing = Casing(self.encoder) if config.casing else None
        self.intent = _head(size, config.intents)
        self.entity = _head(size, config.tags)
        self.further = nn.ModuleDict(
            {name: nn.Linear(size, len(labels)) for name, labels in (config.heads or {}).items()}
        )
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_ignored: Any) -> JointOutput:
        """Ids and mask (B, T) to `JointOutput`."""
        given = {"input_ids": input_ids} if self.casing is None else self._with_case(input_ids)
        states = self.encoder(attention_mask=attention_mask, **given)[0]  # (B, T, H)
        pooled = F.normalize(pool(states, attention_mask, self.config.pooling), dim=-1)  # (B, H)
        dropped = self.dropout(pooled)
        return JointOutput(
            pooled=pooled,
            intent_logits=None if self.intent is None else self.intent(dropped),
            entity_logits=None if self.entity is None else self.entity(self.dropout(states)),
            head_logits={name: head(dropped) for name, head in self.further.items()} or None,
        )

    def _with_case(self, ids: Tensor) -> dict[str, Tensor]:
        assert self.casing is not None
        words = self.encoder.get_input_embeddings()(ids % STRIDE)
        return {"inputs_embeds": words + self.casing(ids // STRIDE)}  # (B, T, E)

    def _init_weights(self, module: nn.Module) -> None:
        # The encoder's weights are loaded; only the heads start from scratch.
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Casing(nn.Module):
    """What is added to a word's embedding for its capitals: nothing if it has none.

    It begins with nothing for all, so that kinds of capitals never seen change nothing.

    In training three of ten messages are shown without their capitals, so that those who write
    none are understood, too.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        size = encoder.get_input_embeddings().embedding_dim
        nothing = torch.zeros(CLASSES, size)
        self.table = nn.Embedding(CLASSES, size, padding_idx=PLAIN, _weight=nothing)

    def forward(self, classes: Tensor) -> Tensor:
        """Classes (B, T) to (B, T, E)."""
        if self.training and classes.any():
            hidden = torch.rand(len(classes), 1, device=classes.device) < _HIDDEN
            classes = classes.masked_fill(hidden, PLAIN)
        shift: Tensor = self.table(classes)
        return shift


def _head(size: int, labels: Sequence[str] | None) -> nn.Linear | None:
    return nn.Linear(size, len(labels)) if labels else None


def without_pooler(encoder: Any) -> Any:
    """The encoder less the pooling layer that some architectures add and we do not use."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Token states (B, T, H) and mask (B, T) to one vector each (B, H)."""
    if pooling == "cls":
        return states[:, 0]
    weights = mask.unsqueeze(-1).to(states.dtype)  # (B, T, 1)
    if pooling == "max":
        return (states + (1.0 - weights) * -1e4).amax(dim=1)
    if pooling == "last":
        last = mask.sum(dim=1) - 1  # (B,); padding stands on the right
        return states[torch.arange(len(states), device=states.device), last]
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def build_network(
    encoder_name: str,
    *,
    intents: Sequence[str],
    tags: Sequence[str],
    heads: Mapping[str, Sequence[str]],
    casing: bool = False,
) -> JointNetwork:
    """A network on a pretrained encoder, by Hugging Face name or local path, with fresh heads.

    With `casing` its ids are to carry how words are written.

    Raises:
        InputError: no such encoder, or not an encoder-only model.
    """
    folder = source_folder(encoder_name)
    encoder = _load_encoder(folder)
    # The path says nothing on another machine; `encoder_name` stays.
    described = {k: v for k, v in encoder.config.to_dict().items() if k != "_name_or_path"}
    config = JointConfig(
        encoder=described,
        encoder_name=encoder_name,
        pooling=read_pipeline(folder, encoder_name).pooling,
        intents=list(intents),
        tags=list(tags),
        heads={name: list(labels) for name, labels in heads.items()},
        casing=casing,
    )
    return JointNetwork(config, encoder)


def _load_encoder(folder: Path) -> Any:
    try:
        encoder = AutoModel.from_pretrained(folder, dtype=torch.float32)
    except _UNLOADABLE as error:
        raise InputError(f"its weights cannot be loaded ({error})", path=folder) from error
    if getattr(encoder.config, "is_encoder_decoder", False):
        kind = encoder.config.model_type
        raise InputError(f"{kind} is no encoder-only model; choose one that is", path=folder)
    return encoder


def save_network(network: JointNetwork, folder: Path, *, half: bool = True) -> None:
    """Write `config.json` and `network.safetensors`, by default with 16-bit floats."""
    network.config.save_pretrained(folder)
    state = {
        name: value.detach().to("cpu", torch.float16 if half else value.dtype).contiguous()
        for name, value in network.state_dict().items()
    }
    safetensors.torch.save_file(state, folder / WEIGHTS_FILE, metadata={"format": "pt"})


def load_network(folder: Path) -> JointNetwork:
    """The network of a model folder, in float32, ready to be trained further.

    Raises:
        ModelError: its files are missing or do not fit together.
    """
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"{folder} holds no {WEIGHTS_FILE}; train with method full or lora")
    try:
        config = JointConfig.from_pretrained(folder)
        network = JointNetwork(config)
        state = safetensors.torch.load_file(folder / WEIGHTS_FILE)
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except (*_UNLOADABLE, safetensors.SafetensorError) as error:
        raise ModelError(f"{folder} cannot be loaded ({error}); train it again") from error
    return network
