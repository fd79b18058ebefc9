"""What a small network learns from: a teacher with its notes, and texts that nobody wrote."""

from pathlib import Path

import pytest
import torch

from agent.understanding.bio import Unit
from agent.understanding.network import JointNetwork, build_network
from training.batches import IGNORED, Collate, Item
from training.features import Tokens
from training.network.compress import Teacher, mixtures, shortened

IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 20, 3, 0, 0]])


def batch(*rows: int) -> dict[str, torch.Tensor]:
    ids = IDS[list(rows)]
    ids = ids[:, : int((ids > 0).sum(dim=1).max())]
    tags = torch.where(ids > 3, torch.zeros_like(ids), torch.full_like(ids, IGNORED))
    mask = (ids > 0).long()
    return {"input_ids": ids, "attention_mask": mask, "tags": tags, "rows": torch.tensor(rows)}


def network(tiny_encoder: Path, seed: int) -> JointNetwork:
    torch.manual_seed(seed)
    heads = {"mood": ["good", "bad"]}
    tags = ["O", "B-x", "I-x"]
    made = build_network(str(tiny_encoder), intents=["a", "b"], tags=tags, heads=heads)
    made.eval()
    return made


@pytest.mark.parametrize("teachers", [1, 2])
def test_notes_teach_what_was_said_in_any_company(tiny_encoder: Path, teachers: int) -> None:
    networks = tuple(network(tiny_encoder, seed) for seed in range(teachers))
    pupil, asked = network(tiny_encoder, 9), Teacher(networks)
    noting = Teacher(networks, notes={})
    for rows in ((0, 1), (1,), (1, 0)):
        given = batch(*rows)
        with torch.no_grad():
            output = pupil(given["input_ids"], given["attention_mask"])
        assert float(noting.loss(output, given)) == pytest.approx(
            float(asked.loss(output, given)), rel=1e-2
        )
    assert noting.notes is not None
    assert sorted(noting.notes) == [0, 1]


def item(*ids: int) -> Item:
    units = tuple(Unit(place, place, place + 1) for place in range(1, len(ids) - 1))
    return Item(Tokens(ids, units), {"intent": 1}, (0,) * len(units), outside=True)


@pytest.mark.parametrize("longest", [4, 9])
def test_a_mixture_is_the_beginning_of_one_text_and_the_end_of_another(longest: int) -> None:
    items = [item(2, 11, 12, 3), item(2, 21, 22, 3), item(2, 31, 3), item(2, 3)]
    found = mixtures(items, 20, longest, seed=0)
    assert len(found) == 80
    for row, mixed in enumerate(found):
        ids, first = mixed.tokens.ids, items[row % 4].tokens.ids
        ways = [
            (begun, other.tokens.ids[len(other.tokens.ids) - (len(ids) - begun) :])
            for begun in range(1, len(ids))
            for other in items
        ]
        assert any(ids == first[:begun] + end for begun, end in ways)
        assert len(ids) <= longest
        assert (ids[0], ids[-1]) == (2, 3)
    assert len({mixed.tokens.ids for mixed in found}) > 12


def test_mixtures_have_no_labels_of_their_own_and_are_the_same_again() -> None:
    items = [item(2, 11, 12, 3), item(2, 21, 3)]
    batch = Collate(0)(list(enumerate(mixtures(items, 2, 8, seed=1))))
    assert set(batch["target_intent"].tolist()) == {IGNORED}
    assert set(batch["tags"].flatten().tolist()) == {IGNORED}
    assert not batch["outside"].any()
    assert mixtures(items, 2, 8, seed=1) == mixtures(items, 2, 8, seed=1)
    assert mixtures(items, 0, 8, seed=1) == []


def test_of_a_shortened_network_everything_is_to_be_trained(tiny_encoder: Path) -> None:
    larger = network(tiny_encoder, 0)
    larger.encoder.requires_grad_(False)
    small = shortened(larger)
    assert small.encoder.config.num_hidden_layers == 1
    assert all(parameter.requires_grad for parameter in small.parameters())
    assert not any(parameter.requires_grad for parameter in larger.encoder.parameters())
