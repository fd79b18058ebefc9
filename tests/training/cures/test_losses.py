"""Cures that change the loss, and networks trained with one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agent.understanding.network import JointOutput, build_network
from tests.training.tiny import examples, make_encoder
from training.batches import IGNORED
from training.cures.losses import Adversary, disagreement, halves
from training.finetune import train_understanding
from training.options import TrainOptions

NO_TAGS = torch.full((1, 3), IGNORED)


def output(logits: list[list[float]]) -> JointOutput:
    return JointOutput(torch.zeros(len(logits), 4), torch.tensor(logits), None, None)


def test_equal_passes_do_not_disagree() -> None:
    same = output([[1.0, 2.0]])
    assert float(disagreement(same, same, NO_TAGS)) == pytest.approx(0)


def test_disagreement_is_the_mean_of_both_divergences() -> None:
    p, q = torch.tensor([0.9, 0.1]), torch.tensor([0.4, 0.6])
    wanted = ((p * (p / q).log()).sum() + (q * (q / p).log()).sum()) / 2
    found = disagreement(output([p.log().tolist()]), output([q.log().tolist()]), NO_TAGS)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def tagged(scores: torch.Tensor) -> JointOutput:
    return JointOutput(entity_logits=scores)


def test_passes_disagree_about_tags_but_not_about_ignored_ones() -> None:
    tags = torch.tensor([[IGNORED, 0, 1]])
    one, other = torch.randn(2, 1, 3, 5)
    found = float(disagreement(tagged(one), tagged(other), tags))
    other[0, 0] += torch.randn(5)
    assert float(disagreement(tagged(one), tagged(other), tags)) == found
    other[0, 1] = one[0, 1]
    assert float(disagreement(tagged(one), tagged(other), tags)) < found


def test_a_doubled_batch_is_taken_apart_into_its_halves() -> None:
    both = JointOutput(torch.arange(4.0)[:, None], None, None, {"mood": torch.arange(8.0)[:, None]})
    one, other = halves(both)
    assert one.pooled is not None
    assert other.head_logits is not None
    assert one.pooled.flatten().tolist() == [0, 1]
    assert other.head_logits["mood"].flatten().tolist() == [4, 5, 6, 7]
    assert one.intent_logits is None


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


def test_several_steps_find_a_worse_place_within_the_same_distance(tmp_path: Path) -> None:
    network = build_network(
        str(make_encoder(tmp_path / "tiny")), intents=["a", "b"], tags=[], heads={}
    ).eval()
    ids = torch.tensor([[2, 7, 8, 9, 3], [2, 10, 11, 12, 3]])
    mask, target = torch.ones_like(ids), torch.tensor([0, 1])

    def compute() -> torch.Tensor:
        logits = network(ids, mask).intent_logits
        assert logits is not None
        return torch.nn.functional.cross_entropy(logits, target)

    one, many = (float(Adversary(network, 2.0, n).loss(compute).detach()) for n in (1, 5))
    assert many > one > float(compute().detach())


@pytest.mark.slow
@pytest.mark.parametrize(
    "cure",
    [
        {"rdrop": 1.0},
        {"adversarial": 1.0},
        {"typos": 0.5, "speech": 0.5},
        {"pretrain": 2.0},
        {"ensemble": 2},
    ],
)
def test_a_cured_network_still_learns(tmp_path: Path, cure: dict[str, float]) -> None:
    encoder = make_encoder(tmp_path / "tiny")
    options = TrainOptions(encoder=str(encoder), epochs=20, batch_size=8, learning_rate=3e-3)
    done = train_understanding(examples(), tmp_path / "model", replace(options, cures=cure))
    assert done.report["intent"]["accuracy"] > 0.6


@pytest.mark.slow
def test_texts_without_labels_are_learned_with_what_the_network_thinks_of_them(
    tmp_path: Path,
) -> None:
    encoder = make_encoder(tmp_path / "tiny")
    options = TrainOptions(encoder=str(encoder), epochs=20, batch_size=8, learning_rate=3e-3)
    texts = ("hello good morning", "book a table in berlin today", "send 50 eur to bob")
    cures = {"pseudo": 0.3}
    done = train_understanding(
        examples(), tmp_path / "model", replace(options, cures=cures, unlabelled=texts)
    )
    assert done.report["intent"]["accuracy"] > 0.6
