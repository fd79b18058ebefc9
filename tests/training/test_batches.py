"""Batches of like length, every item once an epoch, the same order for the same seed."""

from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.tiny import examples
from training.batches import IGNORED, Collate, LengthBuckets, make_items
from training.corpus import read_corpus
from training.features import Tokenization


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 40))
def test_every_item_comes_once_an_epoch(lengths: list[int], size: int) -> None:
    sampler = LengthBuckets(lengths, size, seed=3)
    batches = list(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert len(batches) == len(sampler)


def test_items_of_a_batch_have_like_lengths() -> None:
    lengths = [i % 40 + 1 for i in range(400)]
    spreads = [
        max(lengths[i] for i in batch) - min(lengths[i] for i in batch)
        for batch in LengthBuckets(lengths, 8, seed=0)
    ]
    assert sum(spreads) / len(spreads) < 5


def test_epochs_differ_and_can_be_repeated() -> None:
    sampler = LengthBuckets(list(range(100)), 8, seed=1)
    first, second = list(sampler), list(sampler)
    sampler.set_epoch(0)
    assert first != second
    assert list(sampler) == first


def test_a_batch_tags_first_sub_words_only(tiny_encoder: Path) -> None:
    corpus = read_corpus(examples())
    tokenization = Tokenization.load(tiny_encoder / "tokenizer.json", 32)
    items = make_items(corpus, corpus.examples, tokenization)
    batch = Collate(0)([(0, items[0]), (12, items[12])])
    assert batch["tags"].shape == batch["input_ids"].shape
    # [CLS] book a table in paris today [SEP]
    assert batch["tags"][0].tolist() == [IGNORED, 0, 0, 0, 0, 1, 0, IGNORED]
    assert batch["target_intent"].tolist() == [
        corpus.intents.index("book"),
        corpus.intents.index("greet"),
    ]
    assert torch.equal(batch["rows"], torch.tensor([0, 12]))
