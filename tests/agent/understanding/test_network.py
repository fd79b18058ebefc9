"""The joint network: shapes, padding, saving, loading."""

from pathlib import Path

import pytest
import torch

from agent.errors import ModelError
from agent.understanding.network import (
    JointNetwork,
    build_network,
    load_network,
    pool,
    save_network,
)
from knowledge.errors import InputError
from tests.training.tiny import make_encoder

IDS = torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def network(encoder: Path) -> JointNetwork:
    torch.manual_seed(0)
    network = build_network(
        str(encoder),
        intents=["a", "b", "c"],
        tags=["O", "B-x", "I-x"],
        heads={"mood": ["good", "bad"]},
    )
    network.eval()
    return network


def test_every_output_has_its_shape(network: JointNetwork) -> None:
    output = network(IDS, MASK)
    assert output.pooled.shape == (2, 32)
    assert output.intent_logits.shape == (2, 3)
    assert output.entity_logits.shape == (2, 5, 3)
    assert output.head_logits["mood"].shape == (2, 2)


def test_the_pooled_vector_has_unit_length(network: JointNetwork) -> None:
    lengths = network(IDS, MASK).pooled.norm(dim=-1)
    assert torch.allclose(lengths, torch.ones(2), atol=1e-5)


def test_padding_changes_nothing(network: JointNetwork) -> None:
    padded = network(IDS, MASK)
    alone = network(IDS[1:, :3], MASK[1:, :3])
    assert torch.allclose(padded.pooled[1], alone.pooled[0], atol=1e-5)
    assert torch.allclose(padded.entity_logits[1, :3], alone.entity_logits[0], atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last"])
def test_pooling_ignores_padding(pooling: str) -> None:
    states = torch.randn(2, 5, 4)
    changed = states.clone()
    changed[1, 3:] = 100.0
    assert torch.equal(pool(states, MASK, pooling)[1], pool(changed, MASK, pooling)[1])


def test_without_labels_there_is_no_head(encoder: Path) -> None:
    network = build_network(str(encoder), intents=["a"], tags=[], heads={})
    output = network(IDS, MASK)
    assert output.entity_logits is None
    assert output.head_logits is None


def test_the_ecosystem_saves_and_loads_it(network: JointNetwork, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    loaded = JointNetwork.from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(IDS, MASK).intent_logits, network(IDS, MASK).intent_logits)
    assert loaded.config.intents == ["a", "b", "c"]


def test_a_model_folder_keeps_it_in_half_precision(network: JointNetwork, tmp_path: Path) -> None:
    save_network(network, tmp_path)
    loaded = load_network(tmp_path).eval()
    difference = (loaded(IDS, MASK).pooled - network(IDS, MASK).pooled).abs().max()
    assert difference < 1e-2
    assert loaded.dtype == torch.float32


def test_the_folder_names_no_path_of_this_machine(
    network: JointNetwork, encoder: Path, tmp_path: Path
) -> None:
    save_network(network, tmp_path)
    config = (tmp_path / "config.json").read_text(encoding="utf-8")
    assert '"_name_or_path"' not in config.split('"encoder_name"')[0]


def test_a_truncated_folder_is_refused(network: JointNetwork, tmp_path: Path) -> None:
    save_network(network, tmp_path)
    weights = tmp_path / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_network(tmp_path)


def test_a_folder_that_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        build_network(str(tmp_path), intents=["a"], tags=[], heads={})
