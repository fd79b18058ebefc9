"""Adapters in a network."""

from pathlib import Path

import peft
import pytest
import torch

from agent.understanding.network import JointNetwork, build_network
from training.network.adapters import add_adapters, allocations, merge_adapters


@pytest.fixture
def network(tiny_encoder: Path) -> JointNetwork:
    return build_network(str(tiny_encoder), intents=["a", "b"], tags=[], heads={})


@pytest.mark.parametrize("kind", ["lora", "adalora"])
def test_merged_adapters_say_what_they_said_before(network: JointNetwork, kind: str) -> None:
    add_adapters(network, kind, 10)  # type: ignore[arg-type]
    for name, parameter in network.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.arange(2, 10).reshape(2, 4)
    network.eval()
    with torch.inference_mode():
        before = network(ids, torch.ones_like(ids)).pooled
    merge_adapters(network)
    with torch.inference_mode():
        after = network(ids, torch.ones_like(ids)).pooled
    assert torch.allclose(before, after, atol=1e-5)
    assert not isinstance(network.encoder, peft.PeftModel)


def test_ranks_are_shared_out_only_by_adalora(network: JointNetwork) -> None:
    assert allocations(network) == []
    add_adapters(network, "adalora", 30)
    (callback,) = allocations(network)
    ids = torch.arange(2, 10).reshape(2, 4)
    for step in range(30):
        network(ids, torch.ones_like(ids)).pooled.sum().backward()
        callback.on_optimizer_step(None, _State(step), None)
    ranks = network.encoder.peft_config["default"].rank_pattern
    kept = [sum(row) for row in ranks.values()]
    assert sum(kept) <= 16 * len(kept) < 24 * len(kept)


class _State:
    def __init__(self, step: int) -> None:
        self.global_step = step
