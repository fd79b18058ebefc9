"""Puts heads on a cached encoder's ONNX graph without torch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.frozen.linear import Linear
from training.frozen.tagger import Tagger

_STATES, _POOLED, _MASK = "last_hidden_state", "pooled", "attention_mask"


def splice_heads(
    encoder: Path, target: Path, linears: Mapping[str, Linear], tagger: Tagger | None
) -> None:
    """Write the encoder's graph with linear heads on `pooled` and a tagger on the states.

    Args:
        encoder: graph with the outputs `last_hidden_state` (B, T, H) and `pooled` (B, H).
        target: the file to write; its outputs are `pooled`, the names of `linears` and,
            with a tagger, `entity_logits` (B, T, L).
    """
    model = onnx.load(str(encoder))
    graph = model.graph
    for name, linear in linears.items():
        _add_linear(graph, name, linear)
    if tagger is not None:
        _add_tagger(graph, tagger)
    kept = [output for output in graph.output if output.name != _STATES]
    del graph.output[:]
    graph.output.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def _add_linear(graph: onnx.GraphProto, name: str, linear: Linear) -> None:
    weight, bias = (
        _constant(graph, f"{name}/w", linear.weight.T),
        _constant(graph, f"{name}/b", linear.bias),
    )
    graph.node.append(helper.make_node("Gemm", [_POOLED, weight, bias], [name]))
    _output(graph, name, ["batch", len(linear.bias)])


def _add_tagger(graph: onnx.GraphProto, tagger: Tagger) -> None:
    size, hidden = len(tagger.w1) // 3, len(tagger.b1)
    # Conv wants (D, H, 3); w1 stacks the states of t-1, t and t+1.
    kernel = tagger.w1.reshape(3, size, hidden).transpose(2, 1, 0)
    w1, b1 = _constant(graph, "tag/w1", kernel), _constant(graph, "tag/b1", tagger.b1)
    w2, b2 = _constant(graph, "tag/w2", tagger.w2), _constant(graph, "tag/b2", tagger.b2)
    axes = _constant(graph, "tag/axes", np.array([2], dtype=np.int64))
    # Padding counts as zeros, so that a text gives the same in any batch.
    steps = [
        ("Cast", [_MASK], "tag/mask", {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["tag/mask", axes], "tag/mask3", {}),
        ("Mul", [_STATES, "tag/mask3"], "tag/states", {}),
        ("Transpose", ["tag/states"], "tag/channels", {"perm": [0, 2, 1]}),
        ("Conv", ["tag/channels", w1, b1], "tag/conv", {"kernel_shape": [3], "pads": [1, 1]}),
        ("Relu", ["tag/conv"], "tag/relu", {}),
        ("Transpose", ["tag/relu"], "tag/hidden", {"perm": [0, 2, 1]}),
        ("MatMul", ["tag/hidden", w2], "tag/scores", {}),
        ("Add", ["tag/scores", b2], "entity_logits", {}),
    ]
    for kind, inputs, result, attributes in steps:
        graph.node.append(helper.make_node(kind, inputs, [result], **attributes))
    _output(graph, "entity_logits", ["batch", "tokens", len(tagger.b2)])


def _constant(graph: onnx.GraphProto, name: str, values: NDArray[np.generic]) -> str:
    graph.initializer.append(
        numpy_helper.from_array(np.ascontiguousarray(values), f"spliced/{name}")
    )
    return f"spliced/{name}"


def _output(graph: onnx.GraphProto, name: str, shape: list[str | int]) -> None:
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
