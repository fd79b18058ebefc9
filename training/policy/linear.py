"""The learned policy as one linear layer over recent states: fitted in a second, without torch.

Door: onnx (its graph is written by hand).
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy.sparse import csr_matrix

from agent.dialogue.learned import LearnedSpec
from agent.dialogue.tokens import state_tokens
from training.frozen.linear import Linear, fit_linear
from training.policy.examples import Forgetting, Turn, with_forgetful_copies

HISTORY = 4
"""States that count; of older ones nothing is seen but what slots and the loop keep."""
# Chosen by five-fold tests on the bundled assistant's stories and on SGD's dev dialogues.
STRENGTH = 50.0
OPSET = 17
IR_VERSION = 9


def fit_dialogue_linear(
    turns: Sequence[Turn], *, seed: int = 0, forgetting: Forgetting | None = None
) -> tuple[bytes, LearnedSpec]:
    """Fit the layer on turns of at most HISTORY + 1 states; the network as ONNX, and its spec."""
    weights = with_forgetful_copies(turns, forgetting or Forgetting(), seed)
    actions = tuple(sorted({action for _, action in weights}))
    tokenized = [state_tokens(states)[-HISTORY:] for states, _ in weights]
    tokens = tuple(dict.fromkeys(t for states in tokenized for state in states for t in state))
    numbers = {token: i for i, token in enumerate(tokens, start=1)}
    places = {action: i for i, action in enumerate(actions)}
    layer = fit_linear(
        _features(tokenized, numbers),
        np.array([places[action] for _, action in weights], np.int64),
        len(actions),
        weights=np.fromiter(weights.values(), np.float32),
        strength=STRENGTH,
    )
    spec = LearnedSpec(tokens, actions, HISTORY, "linear")
    return _network(layer, len(tokens) + 1), spec


def _features(
    tokenized: Sequence[Sequence[Sequence[str]]], numbers: dict[str, int]
) -> "csr_matrix":
    """Rows of ones (n, HISTORY x (V + 1)): a column for each token at each place.

    Slots count in the latest state only: those of older states say nothing more.
    """
    size = len(numbers) + 1
    rows, columns = [], []
    for row, states in enumerate(tokenized):
        for back, state in enumerate(reversed(states)):
            for token in state:
                if back == 0 or not token.startswith("slot "):
                    rows.append(row)
                    columns.append((HISTORY - 1 - back) * size + numbers[token])
    ones = np.ones(len(rows), np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(tokenized), HISTORY * size))


def _network(layer: Linear, size: int) -> bytes:
    """`ids` (1, HISTORY, F) → the rows of its tokens at their places, summed → probabilities."""
    table: NDArray[np.float32] = np.ascontiguousarray(layer.weight.T)  # (HISTORY x size, A)
    table[::size] = 0.0  # padding adds nothing
    offsets = (np.arange(HISTORY, dtype=np.int64) * size).reshape(1, HISTORY, 1)
    constants = {
        "table": table,
        "offsets": offsets,
        "bias": layer.bias.reshape(1, -1),
        "axes": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("Add", ["ids", "offsets"], ["places"]),
        helper.make_node("Gather", ["table", "places"], ["rows"]),  # (1, HISTORY, F, A)
        helper.make_node("ReduceSum", ["rows", "axes"], ["sums"], keepdims=0),  # (1, A)
        helper.make_node("Add", ["sums", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    count = len(layer.bias)
    graph = helper.make_graph(
        nodes,
        "dialogue",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, HISTORY, "F"])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, count])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    network: bytes = model.SerializeToString()
    return network
