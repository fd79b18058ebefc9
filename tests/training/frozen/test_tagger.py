"""The small tagger learns from neighbours, and its ONNX twin says the same."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from training.frozen.linear import Linear
from training.frozen.splice import splice_heads
from training.frozen.tagger import Tagger, fit_tagger


def test_it_learns_what_only_the_neighbour_tells() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(600, 4)).astype(np.float32)
    positions = np.arange(1, 599)
    targets = (states[positions - 1, 0] > 0).astype(np.int64)
    tagger = fit_tagger(states, positions, targets, 2, seed=0)
    predicted = tagger.logits(states)[positions].argmax(axis=1)
    assert (predicted == targets).mean() > 0.95


def test_the_same_seed_gives_the_same_weights() -> None:
    states = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    positions, targets = np.arange(1, 49), np.arange(48) % 3
    first, second = (fit_tagger(states, positions, targets, 3, seed=7) for _ in range(2))
    assert (first.w1 == second.w1).all()
    assert (first.b2 == second.b2).all()


def passthrough(path: Path) -> None:
    """An encoder whose states are one-hot ids and whose pooled vector is their sum."""
    shape = ["batch", "tokens"]
    nodes = [
        helper.make_node("OneHot", ["input_ids", "depth", "values"], ["last_hidden_state"]),
        helper.make_node("ReduceSum", ["last_hidden_state", "axis"], ["pooled"], keepdims=0),
    ]
    constants = [
        helper.make_tensor("depth", TensorProto.INT64, [], [5]),
        helper.make_tensor("values", TensorProto.FLOAT, [2], [0.0, 1.0]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, shape),
        ],
        [
            helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, 5]),
            helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 5]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))


def test_spliced_heads_compute_what_numpy_computes(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)

    def matrix(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    tagger = Tagger(matrix(15, 6), matrix(6), matrix(6, 3), matrix(3))
    linear = Linear(matrix(4, 5), matrix(4))
    passthrough(tmp_path / "encoder.onnx")
    splice_heads(
        tmp_path / "encoder.onnx", tmp_path / "out.onnx", {"intent_logits": linear}, tagger
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "out.onnx"))
    assert [o.name for o in session.get_outputs()] == ["pooled", "intent_logits", "entity_logits"]
    ids = np.array([[1, 2, 3, 4], [2, 0, 0, 0]])
    mask = np.array([[1, 1, 1, 1], [1, 0, 0, 0]])
    pooled, intents, tags = session.run(None, {"input_ids": ids, "attention_mask": mask})
    assert np.allclose(intents, linear.logits(pooled), atol=1e-5)
    assert np.allclose(tags[0], tagger.logits(np.eye(5, dtype=np.float32)[ids[0]]), atol=1e-5)
    # Padding does not leak into the shorter text.
    alone = tagger.logits(np.eye(5, dtype=np.float32)[[2]])
    assert np.allclose(tags[1][:1], alone, atol=1e-5)
