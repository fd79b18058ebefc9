"""A torch network to `understanding.onnx`: written or traced, quantized to int8, checked."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from agent.understanding.casing import CLASSES, STRIDE
from agent.understanding.network import JointNetwork
from knowledge.fused_graph import (
    POOLED,
    STATES,
    Casing,
    GraphWriter,
    is_writable,
    write_encoder,
)
from training.errors import TrainingError
from training.features import open_session
from training.fitted import output_name
from training.network.blockwise import quantize_by_blocks
from training.network.losses import logits_of

OPSET = 17
# What int8 may cost before a finer one takes its place.
TOLERANCE = 0.003
# How the names of the heads' nodes begin, in a traced graph and in a written one.
_HEADS = ("/network/intent/", "/network/entity/", "/network/further", "intent_", "entity_", "head_")

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
    network = network.to("cpu").float().eval()
    with TemporaryDirectory(dir=target.parent) as temporary:
        plain = Path(temporary) / "float.onnx"
        if not _write(network, plain):
            _trace(network, plain)
        heads, products = _names(plain)
        for kind, finer in (("tensors", []), ("blocks", products)):
            _quantize(plain, target, heads + finer)
            quantize_by_blocks(target, finer)
            if measure is None or measure(target) >= floor - TOLERANCE:
                return kind
        plain.replace(target)
    return "float"


def _write(network: JointNetwork, target: Path) -> bool:
    """Write the graph operator by operator if the encoder allows it and it comes out right."""
    encoder = network.encoder
    if not is_writable(encoder):
        return False
    heads: dict[str, Any] = {f"head_{name}": head for name, head in network.further.items()}
    if network.intent is not None:
        heads = {"intent": network.intent, **heads}
    graph = GraphWriter()
    table = None if network.casing is None else network.casing.table.weight
    casing = None if table is None else Casing(STRIDE, table.detach().numpy())
    write_encoder(graph, encoder, network.config.pooling, casing=casing)
    size = int(encoder.config.hidden_size)
    graph.output(POOLED, "batch", size)
    for name, head in heads.items():
        graph.linear(POOLED, *_numbers(head), output_name(name))
        graph.output(output_name(name), "batch", head.out_features)
    if network.entity is not None:
        graph.linear(STATES, *_numbers(network.entity), "entity_logits")
        graph.output("entity_logits", "batch", "tokens", network.entity.out_features)
    onnx.save(graph.model(), str(target))
    return _agree(network, target)


def _numbers(head: nn.Linear) -> tuple[Any, Any]:
    """A linear layer's weight (H, C) and bias (C,)."""
    return head.weight.detach().numpy().T, head.bias.detach().numpy()


def _agree(network: JointNetwork, graph: Path) -> bool:
    """Whether a float graph gives the network's vectors, with and without padding."""
    ids = torch.arange(40).reshape(4, 10) % int(network.encoder.config.vocab_size)
    ids = ids if network.casing is None else ids + STRIDE * (ids % CLASSES)
    mask = (torch.arange(10) < torch.tensor([[10], [7], [3], [1]])).long()
    with torch.inference_mode():
        wanted = network(ids, mask).pooled.numpy()
    session = open_session(graph, 1)
    found = session.run(["pooled"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    return bool(np.allclose(wanted, found, atol=1e-3))


def _trace(network: JointNetwork, target: Path) -> None:
    """Write the graph that the exporter traces, made ready for the quantizer."""
    before = network.encoder.config._attn_implementation
    # The fused attention of torch does not trace to the graph that quantizes well.
    network.encoder.set_attn_implementation("eager")
    ids = torch.arange(18).reshape(2, 9) % int(network.encoder.config.vocab_size)
    example = (ids, torch.ones_like(ids))
    with torch.inference_mode():
        output = network(*example)
    traced = target.with_name("traced.onnx")
    names = ["pooled", *(output_name(name) for name in logits_of(output))]
    if output.entity_logits is not None:
        names.append("entity_logits")
    try:
        with _quiet(), torch.inference_mode():
            torch.onnx.export(
                _Traced(network),
                example,
                str(traced),
                dynamo=False,
                opset_version=OPSET,
                input_names=["input_ids", "attention_mask"],
                output_names=names,
                dynamic_axes=_axes(names),
            )
            quant_pre_process(str(traced), str(target), skip_symbolic_shape=True)
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


def _names(plain: Path) -> tuple[list[str], list[str]]:
    """The heads' nodes, which stay in float, and the encoder's products."""
    nodes = onnx.load(str(plain), load_external_data=False).graph.node
    heads = [node.name for node in nodes if node.name.startswith(_HEADS)]
    products = [n.name for n in nodes if n.op_type == "MatMul" and n.name not in set(heads)]
    return heads, products


def _quantize(plain: Path, target: Path, excluded: list[str]) -> None:
    with _quiet():
        quantize_dynamic(
            str(plain),
            str(target),
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
            # Fused operators hide from shape inference what type they give.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
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
