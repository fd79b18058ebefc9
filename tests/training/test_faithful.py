from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.project.types import Example
from tests.training.tiny import examples
from training import courses
from training.corpus import read_corpus
from training.faithful import faithful
from training.finetune import train_understanding
from training.options import TrainOptions
from training.start import part_of, start
from training.trainer import fine_tune

OPTIONS = TrainOptions(threads=1, epochs=2)
CORRECTED = Example("please block it now", "block", source="correction:c1")


@pytest.fixture(scope="module")
def earlier(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    train_understanding(examples(), folder, replace(OPTIONS, encoder=str(tiny_encoder)))
    return folder


def _going_on(tiny_encoder: Path, earlier: Path) -> TrainOptions:
    return replace(OPTIONS, encoder=str(tiny_encoder), init_from=earlier)


def test_a_network_as_it_was_is_faithful_and_corrections_are_not_asked_for(
    tiny_encoder: Path, earlier: Path
) -> None:
    nlu = examples()
    corpus = read_corpus(replace(nlu, examples=(*nlu.examples, CORRECTED)))
    run = start(corpus, _going_on(tiny_encoder, earlier))
    part = part_of(run, corpus.examples)
    loss = faithful(run, part)
    assert loss is not None
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 8, 3]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    base, corrected = torch.tensor([0, 1]), torch.tensor([len(part.items) - 1] * 2)
    run.network.eval()
    # The new intent has a row that the earlier network does not know.
    known = run.network(**batch)
    known.intent_logits[:, corpus.classes.index("block")] = -1e4
    assert loss(known, {**batch, "rows": base}) < 1e-4
    changed = replace(known, intent_logits=known.intent_logits.flip(1))
    assert loss(changed, {**batch, "rows": base}) > 0.1
    assert loss(changed, {**batch, "rows": corrected}) == 0


def test_a_training_from_scratch_has_nobody_to_be_faithful_to(tiny_encoder: Path) -> None:
    run = start(read_corpus(examples()), replace(OPTIONS, encoder=str(tiny_encoder)))
    assert faithful(run, part_of(run, run.corpus.examples)) is None


def test_only_a_model_that_goes_on_is_taught_by_the_one_before(
    tiny_encoder: Path, earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[bool] = []

    def noting(*arguments: Any, **options: Any) -> Any:
        taught.append(options.get("teach") is not None)
        return fine_tune(*arguments, **options)

    monkeypatch.setattr(courses, "fine_tune", noting)
    for name, options in (
        ("on", _going_on(tiny_encoder, earlier)),
        ("scratch", replace(OPTIONS, encoder=str(tiny_encoder))),
    ):
        (tmp_path / name).mkdir()
        train_understanding(examples(), tmp_path / name, options)
    # Each training has two courses: the second is short, or from the beginning like the first.
    assert taught == [True, False, False, False]
