"""A torch network to `understanding.onnx`: traced, quantized to int8, checked against itself."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from agent.understanding.network import JointNetwork
from training.blockwise import quantize_by_blocks
from training.errors import TrainingError
from training.fitted import output_name
from training.losses import logits_of

OPSET = 17
# What int8 may cost before a finer one takes its place.
TOLERANCE = 0.003
_HEADS = ("/intent/", "/entity/", "/further")

Measure = Callable[[Path], float]


class _Traced(nn.Module):
    """The network with a plain tuple of outputs, for the exporter."""

    def __init__(self, network: JointNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """The pooled vector, the message-level logits in order, the entity logits."""
        output = self.network(input_ids, attention_mask)
        values = [output.pooled, *logits_of(output).values()]
        return (*values, *([] if output.entity_logits is None else [output.entity_logits]))


def export_network(
    network: JointNetwork,
    target: Path,
    *,
    measure: Measure | None = None,
    floor: float = 0.0,
) -> str:
    """Write the network as int8 ONNX; returns how: by tensors, by blocks, or not at all.

    Args:
        network: on any device; it is moved to the CPU.
        target: the file to write.
        measure: how right (0..1) an ONNX file is on held-out messages.
        floor: how right the float network is; where int8 falls short of it by more than
            `TOLERANCE`, a finer and slower quantization is tried, and then none.

    Raises:
        TrainingError: the exporter cannot trace this encoder.
    """
    with TemporaryDirectory(dir=target.parent) as temporary:
        traced, prepared = Path(temporary) / "float.onnx", Path(temporary) / "prepared.onnx"
        _trace(network, traced)
        with _quiet():
            quant_pre_process(str(traced), str(prepared), skip_symbolic_shape=True)
        heads, products = _names(prepared)
        for kind, finer in (("tensors", []), ("blocks", products)):
            _quantize(prepared, target, heads + finer)
            quantize_by_blocks(target, finer)
            if measure is None or measure(target) >= floor - TOLERANCE:
                return kind
        traced.replace(target)
    return "float"


def _trace(network: JointNetwork, target: Path) -> None:
    network = network.to("cpu").float().eval()
    before = network.encoder.config._attn_implementation
    # The fused attention of torch does not trace to the graph that quantizes well.
    network.encoder.set_attn_implementation("eager")
    ids = torch.arange(18).reshape(2, 9) % int(network.encoder.config.vocab_size)
    example = (ids, torch.ones_like(ids))
    with torch.inference_mode():
        output = network(*example)
    names = ["pooled", *(output_name(name) for name in logits_of(output))]
    if output.entity_logits is not None:
        names.append("entity_logits")
    try:
        with _quiet(), torch.inference_mode():
            torch.onnx.export(
                _Traced(network),
                example,
                str(target),
                dynamo=False,
                opset_version=OPSET,
                input_names=["input_ids", "attention_mask"],
                output_names=names,
                dynamic_axes=_axes(names),
            )
    except Exception as error:  # the exporter raises many unrelated classes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(
            f"this encoder cannot be exported to ONNX ({reason}); choose another one"
        ) from error
    finally:
        network.encoder.set_attn_implementation(before)


def _axes(outputs: Sequence[str]) -> dict[str, dict[int, str]]:
    tokens = {0: "batch", 1: "tokens"}
    axes = {name: {0: "batch"} for name in outputs}
    if "entity_logits" in axes:
        axes["entity_logits"] = tokens
    return {"input_ids": tokens, "attention_mask": tokens, **axes}


def _names(prepared: Path) -> tuple[list[str], list[str]]:
    """The heads' nodes, which stay in float, and the encoder's products."""
    nodes = onnx.load(str(prepared), load_external_data=False).graph.node
    starts = tuple(f"/network{head}" for head in _HEADS)
    heads = [node.name for node in nodes if node.name.startswith(starts)]
    products = [n.name for n in nodes if n.op_type == "MatMul" and n.name not in set(heads)]
    return heads, products


def _quantize(prepared: Path, target: Path, excluded: list[str]) -> None:
    with _quiet():
        quantize_dynamic(
            str(prepared),
            str(target),
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
        )


@contextmanager
def _quiet() -> Iterator[Any]:
    """Tracer warnings and the quantizer's advice say nothing a person could act on."""
    logger, level = logging.getLogger(), logging.getLogger().level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
