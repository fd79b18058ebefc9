"""Products with 8-bit weights in blocks."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from training.network.blockwise import quantize_by_blocks


def product(path: Path, weight: np.ndarray) -> None:
    rows, columns = weight.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense")],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", columns])],
        [numpy_helper.from_array(weight, "w")],
    )
    sets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=9), str(path))


@pytest.mark.parametrize("rows", [384, 96, 16])
def test_the_product_stays_nearly_the_same(tmp_path: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(rows, 32)).astype(np.float32)
    inputs = rng.normal(size=(5, rows)).astype(np.float32)
    product(tmp_path / "graph.onnx", weight)
    quantize_by_blocks(tmp_path / "graph.onnx", {"dense"})
    (node,) = onnx.load(str(tmp_path / "graph.onnx")).graph.node
    assert node.op_type == "MatMulNBits"
    session = onnxruntime.InferenceSession(str(tmp_path / "graph.onnx"))
    (found,) = session.run(None, {"x": inputs})
    wanted = inputs @ weight
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()


def test_weights_that_make_no_blocks_and_other_products_stay(tmp_path: Path) -> None:
    product(tmp_path / "odd.onnx", np.ones((7, 2), np.float32))
    product(tmp_path / "other.onnx", np.ones((16, 2), np.float32))
    quantize_by_blocks(tmp_path / "odd.onnx", {"dense"})
    quantize_by_blocks(tmp_path / "other.onnx", {"another"})
    for name in ("odd", "other"):
        (node,) = onnx.load(str(tmp_path / f"{name}.onnx")).graph.node
        assert node.op_type == "MatMul"
