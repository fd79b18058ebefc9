"""Cures that change the loss: R-Drop and adversarial embeddings."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agent.understanding.network import JointOutput, build_network
from tests.training.tiny import examples, make_encoder
from training.cli_train import _cures
from training.cures import CURES, Adversary, disagreement
from training.errors import InputError
from training.finetune import train_understanding
from training.options import TrainOptions
from training.recipe import Recipe


def output(logits: list[list[float]]) -> JointOutput:
    return JointOutput(torch.zeros(len(logits), 4), torch.tensor(logits), None, None)


def test_equal_passes_do_not_disagree() -> None:
    assert float(disagreement(output([[1.0, 2.0]]), output([[1.0, 2.0]]))) == pytest.approx(0)


def test_disagreement_is_the_mean_of_both_divergences() -> None:
    p, q = torch.tensor([0.9, 0.1]), torch.tensor([0.4, 0.6])
    wanted = ((p * (p / q).log()).sum() + (q * (q / p).log()).sum()) / 2
    found = disagreement(output([p.log().tolist()]), output([q.log().tolist()]))
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_an_adversary_makes_the_loss_larger_and_leaves_the_network_as_it_was(
    tmp_path: Path,
) -> None:
    encoder = make_encoder(tmp_path / "tiny")
    network = build_network(str(encoder), intents=["a", "b"], tags=[], heads={}).eval()
    network.encoder.get_input_embeddings().requires_grad_(False)
    ids = torch.tensor([[2, 7, 8, 9, 3], [2, 10, 11, 12, 3]])
    mask, target = torch.ones_like(ids), torch.tensor([0, 1])

    def compute() -> torch.Tensor:
        logits = network(ids, mask).intent_logits
        assert logits is not None
        return torch.nn.functional.cross_entropy(logits, target)

    plain = float(compute().detach())
    loss = Adversary(network, 1.0).loss(compute)
    assert float(loss.detach()) > plain
    torch.autograd.backward(loss)
    assert float(compute().detach()) == pytest.approx(plain)


def test_cures_set_numbers_of_the_recipe() -> None:
    assert _cures(["rdrop", "smoothing=0.2"]) == {"rdrop": 1.0, "label_smoothing": 0.2}
    assert {key for key, _ in CURES.values()} <= set(Recipe.__dataclass_fields__)
    assert all(getattr(Recipe(), key) == 0 for key, _ in CURES.values())


@pytest.mark.parametrize("wrong", ["magic", "rdrop=x", "rdrop=-1", "fgm=nan"])
def test_a_cure_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="--cure"):
        _cures([wrong])


@pytest.mark.slow
@pytest.mark.parametrize("cure", [{"rdrop": 1.0}, {"adversarial": 1.0}])
def test_a_cured_network_still_learns(tmp_path: Path, cure: dict[str, float]) -> None:
    encoder = make_encoder(tmp_path / "tiny")
    options = TrainOptions(encoder=str(encoder), epochs=20, batch_size=8, learning_rate=3e-3)
    done = train_understanding(examples(), tmp_path / "model", replace(options, cures=cure))
    assert done.report["intent"]["accuracy"] > 0.6
