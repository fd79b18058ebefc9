"""Graphs written operator by operator say what torch says."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers

from knowledge.export import _pool
from knowledge.fused_graph import (
    POOLED,
    PREFIX,
    STATES,
    GraphWriter,
    is_writable,
    write_encoder,
)
from knowledge.session import new_session

TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 40,
    "max_position_embeddings": 20,
}
IDS = np.array([[2, 7, 8, 9, 3], [2, 20, 3, 1, 1], [3, 1, 1, 1, 1]])
MASK = (IDS != 1).astype(np.int64)


def encoder(family: str, **options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **{**TINY, "pad_token_id": 1, **options})
    made: torch.nn.Module = transformers.AutoModel.from_config(config).eval()
    # Fresh networks have no biases to speak of, and one type of token like the other.
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def written(model: torch.nn.Module, pooling: str, path: Path) -> dict[str, np.ndarray[Any, Any]]:
    graph = GraphWriter()
    write_encoder(graph, model, pooling)
    graph.output(STATES, "batch", "tokens", 32)
    graph.output(POOLED, "batch", 32)
    onnx.save(graph.model(), str(path))
    given = {"input_ids": IDS, "attention_mask": MASK}
    names = [STATES, POOLED]
    return dict(zip(names, new_session(path, 1).run(names, given), strict=True))


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "camembert"])
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_states_are_those_of_torch_and_padding_changes_none(
    family: str, activation: str, tmp_path: Path
) -> None:
    model = encoder(family, hidden_act=activation)
    assert is_writable(model)
    found = written(model, "mean", tmp_path / "graph.onnx")[STATES]
    for row, mask in enumerate(MASK):
        with torch.inference_mode():
            wanted = model(torch.from_numpy(IDS[row : row + 1, : mask.sum()]))[0][0].numpy()
        assert np.allclose(found[row, : mask.sum()], wanted, atol=2e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last"])
def test_vectors_are_pooled_as_in_torch_and_of_unit_length(pooling: str, tmp_path: Path) -> None:
    model = encoder("bert")
    found = written(model, pooling, tmp_path / "graph.onnx")[POOLED]
    ids, mask = torch.from_numpy(IDS), torch.from_numpy(MASK)
    with torch.inference_mode():
        pooled = _pool(model(ids, mask)[0], mask, pooling)
        wanted = torch.nn.functional.normalize(pooled, dim=-1).numpy()
    assert np.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "options"),
    [("electra", {}), ("bert", {"hidden_act": "silu"}), ("bert", {"is_decoder": True})],
)
def test_what_is_built_in_another_way_is_left_to_the_exporter(
    family: str, options: dict[str, Any]
) -> None:
    assert not is_writable(encoder(family, **options))


def test_the_encoders_nodes_can_be_told_from_a_heads(tmp_path: Path) -> None:
    graph = GraphWriter()
    write_encoder(graph, encoder("bert"), "mean")
    graph.linear(POOLED, np.ones((32, 2), np.float32), np.ones(2, np.float32), "intent_logits")
    names = [node.name for node in graph.model().graph.node]
    assert {name.partition("/")[0] + "/" for name in names} == {PREFIX, "intent_logits/"}
