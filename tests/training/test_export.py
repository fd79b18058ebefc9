"""How finely a network is quantized follows from what that costs."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from agent.understanding.network import JointNetwork, build_network
from training.export import export_network
from training.features import open_session


@pytest.fixture
def network(tiny_encoder: Path) -> JointNetwork:
    return build_network(str(tiny_encoder), intents=["a", "b"], tags=["O", "B-x", "I-x"], heads={})


@pytest.mark.parametrize(
    ("scores", "kind", "operator"),
    [
        ([1.0], "tensors", "MatMulInteger"),
        ([0.9, 1.0], "blocks", "MatMulNBits"),
        ([0.9, 0.9], "float", "MatMul"),
    ],
)
def test_a_finer_quantization_is_taken_where_a_coarse_one_costs_too_much(
    network: JointNetwork, tmp_path: Path, scores: list[float], kind: str, operator: str
) -> None:
    left = iter(scores)
    target = tmp_path / "understanding.onnx"
    assert export_network(network, target, measure=lambda _: next(left), floor=1.0) == kind
    kinds = {node.op_type for node in onnx.load(str(target)).graph.node}
    assert operator in kinds
    ids = np.array([[2, 5, 6, 3]])
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    assert len(open_session(target, 1).run(None, given)) == 3
