"""A teacher that takes notes says what it would say if it were asked again."""

from pathlib import Path

import pytest
import torch

from agent.understanding.network import JointNetwork, build_network
from training.batches import IGNORED
from training.network.compress import Teacher

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
