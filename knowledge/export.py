"""Exports an encoder's weights to int8 ONNX; runs as a child process of its own.

Example: python -m knowledge.export sentence-transformers/all-MiniLM-L6-v2 DIR
"""

import argparse
import hashlib
import json
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import safetensors.torch
import torch
import torch.nn.functional as F
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from knowledge.encoder import Encoder
from knowledge.encoder_source import file_sha256, source_folder, weight_files
from knowledge.encoder_spec import MAX_TOKENS, EncoderSpec, Pipeline, read_pipeline
from knowledge.errors import AgentError, InputError
from knowledge.fused_graph import POOLED, STATES, GraphWriter, is_writable, write_encoder

OPSET = 17
GRAPH = "encoder.onnx"
# Below this mean cosine between int8 and float vectors the weights stay in float.
MIN_COSINE = 0.95
# Above this the first way of quantizing is kept without trying the next.
GOOD_COSINE = 0.98
PROBES = (
    "What is my balance?",
    "How long does an international transfer take, and what does it cost me?",
    "我的信用卡丢了，怎么办？",
    "",
    "The refund has not arrived yet although the shop says that it was sent two weeks ago. " * 3,
)

UNRELATED = (
    "The recipe needs two cups of flour and a pinch of salt.",
    "Our train leaves from platform nine at half past six.",
    "Photosynthesis turns sunlight into chemical energy.",
    "She scored the winning goal in the last minute of the match.",
    "The museum keeps paintings from the seventeenth century.",
    "Please restart the router and wait for the green light.",
    "Volcanoes form where the plates of the earth drift apart.",
    "He plays the violin in an orchestra every Thursday.",
    "The court ruled that the contract was not valid.",
    "Penguins feed their chicks with fish from the cold sea.",
    "My shoes are too small, I would like to change them.",
    "The stock market fell sharply after the announcement.",
    "Astronomers found a planet that circles two stars.",
    "The bridge is closed to lorries until next spring.",
)


class PooledEncoder(torch.nn.Module):
    """A transformer with its pooling: token ids in, token states and one unit vector out."""

    def __init__(self, model: torch.nn.Module, pipeline: Pipeline):
        super().__init__()
        self.model = model
        self.pooling = pipeline.pooling
        self.dense = torch.nn.ModuleList(_load_dense(folder) for folder in pipeline.dense)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Shapes: (B, T) and (B, T) to (B, T, H) and (B, D)."""
        states = self.model(input_ids=input_ids, attention_mask=attention_mask)[0]  # (B, T, H)
        pooled = _pool(states, attention_mask, self.pooling)  # (B, H)
        for layer in self.dense:
            pooled = layer(pooled)  # (B, D)
        return states, F.normalize(pooled, dim=-1)


def export_encoder(name: str, folder: Path, *, precision: str = "int8") -> EncoderSpec:
    """Writes `encoder.onnx`, `tokenizer.json` and `encoder.json` into `folder`.

    The ONNX graph takes `input_ids` and `attention_mask` (int64, (B, T)) and gives
    `last_hidden_state` (B, T, H) and `pooled` (B, D), both float32.

    Raises:
        InputError: not an encoder, or one without a fast tokenizer.
        AgentError: the exported graph disagrees with the weights.
    """
    source = source_folder(name)
    pipeline = read_pipeline(source, name)
    tokenizer = _load_tokenizer(source)
    network = PooledEncoder(_load_model(source), pipeline).eval()
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    precision, cosine = _write_graph(network, tokenizer, folder, precision)
    spec = EncoderSpec(
        name=name,
        pooling=pipeline.pooling,
        dimensions=_dimensions(folder / GRAPH),
        max_tokens=_window(network.model.config, tokenizer, pipeline),
        pad_id=_pad_id(tokenizer),
        source_sha256=_source_sha256(source, pipeline),
        precision=precision,
        query_prompt=pipeline.query_prompt,
        passage_prompt=pipeline.passage_prompt,
        cosine_to_float=round(cosine, 5),
    )
    spec.save(folder)
    spec = replace(spec, unrelated_cosine=_unrelated_cosine(folder))
    spec.save(folder)
    return spec


def _write_graph(
    network: PooledEncoder,
    tokenizer: transformers.PreTrainedTokenizerBase,
    folder: Path,
    precision: str,
) -> tuple[str, float]:
    """Writes the ONNX graph; returns its precision and its mean cosine to the weights."""
    exported, target = folder / "float.onnx", folder / GRAPH
    if not _write_fused(network, tokenizer, exported):
        _to_onnx(network, tokenizer, exported)
        _compare(network, tokenizer, exported, at_least=0.9999)
    cosine = _quantize(network, tokenizer, exported, target) if precision == "int8" else 0.0
    if cosine < MIN_COSINE:
        exported.replace(target)
        return "float32", 1.0
    exported.unlink()
    return "int8", cosine


def _write_fused(
    network: PooledEncoder, tokenizer: transformers.PreTrainedTokenizerBase, path: Path
) -> bool:
    """Writes the graph operator by operator, if the encoder's kind is known and it comes out right.

    What it is not right for is traced instead.
    """
    if len(network.dense) or not is_writable(network.model):
        return False
    graph = GraphWriter()
    write_encoder(graph, network.model, network.pooling)
    config: Any = network.model.config
    size = int(config.hidden_size)
    graph.output(STATES, "batch", "tokens", size)
    graph.output(POOLED, "batch", size)
    path.write_bytes(graph.model().SerializeToString())
    return _compare(network, tokenizer, path, at_least=-1.0) >= 0.9999


def _load_tokenizer(source: Path) -> transformers.PreTrainedTokenizerBase:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"its tokenizer cannot be loaded ({error})", path=source) from error
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            "this encoder has no fast tokenizer (tokenizer.json); choose one that has", path=source
        )
    return tokenizer


def _load_model(source: Path) -> torch.nn.Module:
    try:
        model: Any = transformers.AutoModel.from_pretrained(
            source, attn_implementation="eager", dtype=torch.float32
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise InputError(f"its weights cannot be loaded ({error})", path=source) from error
    if getattr(model.config, "is_encoder_decoder", False):
        raise InputError(f"{model.config.model_type} is no encoder-only model", path=source)
    network: torch.nn.Module = model
    return network


def _load_dense(folder: Path) -> torch.nn.Sequential:
    """A sentence-transformers Dense stage: a linear layer and its activation."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if (folder / "model.safetensors").is_file():
        weights = safetensors.torch.load_file(folder / "model.safetensors")
    else:
        weights = torch.load(folder / "pytorch_model.bin", weights_only=True, map_location="cpu")
    linear = torch.nn.Linear(
        config["in_features"], config["out_features"], bias=config.get("bias", True)
    )
    linear.load_state_dict({key.removeprefix("linear."): value for key, value in weights.items()})
    activation = str(config.get("activation_function", "torch.nn.modules.linear.Identity"))
    return torch.nn.Sequential(linear, getattr(torch.nn, activation.rsplit(".", 1)[-1])())


def _pool(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    if pooling == "cls":
        return states[:, 0]
    weights = mask.unsqueeze(-1).to(states.dtype)  # (B, T, 1)
    if pooling == "max":
        return (states + (1.0 - weights) * -1e9).max(dim=1).values
    if pooling == "last":
        last = mask.sum(dim=1) - 1  # (B,); padding stands on the right
        return states[torch.arange(states.shape[0]), last]
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def _to_onnx(
    network: PooledEncoder, tokenizer: transformers.PreTrainedTokenizerBase, path: Path
) -> None:
    ids, mask = _probe_batch(tokenizer)
    batch_and_tokens = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.from_numpy(ids), torch.from_numpy(mask)),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["last_hidden_state", "pooled"],
            dynamic_axes={
                "input_ids": batch_and_tokens,
                "attention_mask": batch_and_tokens,
                "last_hidden_state": batch_and_tokens,
                "pooled": {0: "batch"},
            },
        )


def _quantize(
    network: PooledEncoder,
    tokenizer: transformers.PreTrainedTokenizerBase,
    exported: Path,
    target: Path,
) -> float:
    """Writes the best int8 graph to `target`; returns its mean cosine to the float vectors."""
    prepared = exported.with_name("prepared.onnx")
    attempt = exported.with_name("attempt.onnx")
    quant_pre_process(str(exported), str(prepared), skip_symbolic_shape=True)
    best = -1.0
    # Processors without VNNI overflow on full-range weights; seven bits are safe there.
    for reduce_range in (False, True):
        quantize_dynamic(
            str(prepared),
            str(attempt),
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            # Fused operators hide from shape inference what type they give.
            extra_options={"DefaultTensorType": 1},  # float
        )
        cosine = _compare(network, tokenizer, attempt, at_least=-1.0)
        if cosine > best:
            attempt.replace(target)
            best = cosine
        if best >= GOOD_COSINE:
            break
    prepared.unlink()
    attempt.unlink(missing_ok=True)
    return best


def _compare(
    network: PooledEncoder,
    tokenizer: transformers.PreTrainedTokenizerBase,
    path: Path,
    *,
    at_least: float,
) -> float:
    """The mean cosine between the graph's vectors and the weights' on the probe texts."""
    # Another shape than the traced one, so that a length frozen into the graph is seen.
    ids, mask = (array[1:, :-3] for array in _probe_batch(tokenizer))
    with torch.inference_mode():
        wanted = network(torch.from_numpy(ids), torch.from_numpy(mask))[1].numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(["pooled"], {"input_ids": ids, "attention_mask": mask})[0]
    cosine = float(np.mean(np.sum(wanted * found, axis=1)))
    if not cosine >= at_least:
        raise AgentError(f"the exported graph differs from the weights (mean cosine {cosine:.4f})")
    return cosine


def _probe_batch(
    tokenizer: transformers.PreTrainedTokenizerBase,
) -> tuple[
    np.ndarray[tuple[int, ...], np.dtype[np.int64]], np.ndarray[tuple[int, ...], np.dtype[np.int64]]
]:
    encodings = [
        tokenizer.backend_tokenizer.encode(text).ids or [_pad_id(tokenizer)] for text in PROBES
    ]
    width = max(len(ids) for ids in encodings)
    ids = np.full((len(encodings), width), _pad_id(tokenizer), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding)] = encoding
        mask[row, : len(encoding)] = 1
    return ids, mask


def _dimensions(path: Path) -> int:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    one = np.ones((1, 2), dtype=np.int64)
    return int(session.run(["pooled"], {"input_ids": one, "attention_mask": one})[0].shape[1])


def _unrelated_cosine(folder: Path) -> float:
    """What two texts about different things score, so that scores can start from there."""
    vectors = Encoder.load(folder).encode(UNRELATED)
    cosines = vectors @ vectors.T
    return round(float(cosines[np.triu_indices(len(UNRELATED), 1)].mean()), 4)


def _window(
    config: transformers.PretrainedConfig,
    tokenizer: transformers.PreTrainedTokenizerBase,
    pipeline: Pipeline,
) -> int:
    """The largest number of tokens, specials included, that the encoder takes."""
    positions = int(getattr(config, "max_position_embeddings", MAX_TOKENS) or MAX_TOKENS)
    if config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"}:
        # These models count positions from the padding id + 1.
        positions -= int(getattr(config, "pad_token_id", 1) or 1) + 1
    limits = [positions, int(tokenizer.model_max_length), pipeline.max_tokens or MAX_TOKENS]
    return max(4, min(limits))


def _pad_id(tokenizer: transformers.PreTrainedTokenizerBase) -> int:
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)


def _source_sha256(source: Path, pipeline: Pipeline) -> str:
    files = [*weight_files(source), *(f for folder in pipeline.dense for f in weight_files(folder))]
    digests = [file_sha256(file) for file in [*files, source / "config.json"]]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def main() -> int:
    """Parses the arguments, exports, and prints what went wrong as one line."""
    parser = argparse.ArgumentParser(prog="python -m knowledge.export", description=__doc__)
    parser.add_argument("name", help="a model's name or a local folder")
    parser.add_argument("folder", type=Path, help="an existing empty folder")
    parser.add_argument("--precision", choices=["int8", "float32"], default="int8")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    transformers.utils.logging.set_verbosity_error()
    try:
        export_encoder(options.name, options.folder, precision=options.precision)
    except AgentError as error:
        print(" ".join(str(error).split()))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
