"""Examples as tensors: tokenized once, batched by like length, padded to the longest."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from agent.project.types import Example
from agent.turn import OOS_INTENT
from agent.understanding.bio import encode_spans
from training.corpus import Corpus
from training.cures.augment import Augmentation, hide_tokens, swap_values
from training.cures.wordings import reworded
from training.descriptions import HEAVIEST_IN_BATCH
from training.features import Tokenization, Tokens, pad
from training.fitted import balance_of, targets_of

IGNORED = -100
# A bucket is shuffled as a whole and then cut into batches of like length.
_BUCKET_BATCHES = 16


@dataclass(frozen=True, slots=True)
class Item:
    """One example for the network: ids, a class number for each output (-1 = none), tags.

    `weight` is its importance, `balance` what its intent's rarity makes of that;
    `outside` marks text outside every intent (`oos`).
    """

    tokens: Tokens
    targets: Mapping[str, int]
    tags: tuple[int, ...]
    weight: float = 1.0
    balance: float = 1.0
    outside: bool = False


class Items(Dataset[tuple[int, Item]]):
    """A list of items, each with its row, as a torch data set; changed a little if asked to."""

    def __init__(self, items: Sequence[Item], change: Callable[[int], Item] | None = None) -> None:
        self.items, self._change = items, change

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[int, Item]:
        return index, self.items[index] if self._change is None else self._change(index)


def changing(
    corpus: Corpus,
    examples: Sequence[Example],
    items: Sequence[Item],
    tokenization: Tokenization,
    augmentation: Augmentation,
    seed: int,
) -> Callable[[int], Item]:
    """A function that gives an item by its row, each time in another variation."""
    rng, words = np.random.default_rng(seed), Random(seed)  # noqa: S311 - no secret

    def change(row: int) -> Item:
        item, example = items[row], examples[row]
        shown = swap_values(example, augmentation.pools, augmentation.swap, rng)
        shown = reworded(shown, augmentation.wordings, words)
        if shown.text != example.text:
            fresh = make_items(corpus, [shown], tokenization)[0]
            told = any(tag != IGNORED for tag in item.tags)
            tags = fresh.tags if told else (IGNORED,) * len(fresh.tags)
            item = replace(fresh, balance=item.balance, tags=tags)
        if augmentation.mask_id is None or not augmentation.hide:
            return item
        places = [unit.token for unit in item.tokens.units]
        ids = hide_tokens(item.tokens.ids, places, augmentation.mask_id, augmentation.hide, rng)
        return replace(item, tokens=replace(item.tokens, ids=ids))

    return change


def make_items(
    corpus: Corpus, examples: Sequence[Example], tokenization: Tokenization
) -> list[Item]:
    """Examples tokenized and with their labels as the numbers of the corpus."""
    tokens = tokenization.tokenize([e.text for e in examples])
    targets = targets_of(corpus, examples)
    balance = balance_of(examples)
    items = []
    for row, example in enumerate(examples):
        tags, _ = encode_spans(tokens[row].units, example.entities, corpus.span_types)
        own = {output: int(numbers[row]) for output, numbers in targets.items()}
        outside = example.intent == OOS_INTENT
        weight = min(example.weight, HEAVIEST_IN_BATCH)
        items.append(Item(tokens[row], own, tuple(tags), weight, float(balance[row]), outside))
    return items


@dataclass(frozen=True, slots=True)
class Collate:
    """Items to a batch.

    `input_ids`, `attention_mask` and `tags` are (B, T); `weights`, `balance`, `outside`, `rows`
    and one `target_<output>` for each output (B,); ignored places hold -100.
    """

    pad_id: int

    def __call__(self, numbered: Sequence[tuple[int, Item]]) -> dict[str, Tensor]:
        """The batch of these items."""
        items = [item for _, item in numbered]
        ids, mask = pad([item.tokens.ids for item in items], self.pad_id)
        tags = np.full(ids.shape, IGNORED, dtype=np.int64)  # (B, T)
        for row, item in enumerate(items):
            tags[row, [unit.token for unit in item.tokens.units]] = item.tags
        batch = {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask),
            "tags": torch.from_numpy(tags),
            "weights": torch.tensor([item.weight for item in items]),
            "balance": torch.tensor([item.balance for item in items]),
            "outside": torch.tensor([item.outside for item in items]),
            "rows": torch.tensor([row for row, _ in numbered]),
        }
        for output in items[0].targets:
            numbers = [item.targets[output] for item in items]
            batch[f"target_{output}"] = torch.tensor([n if n >= 0 else IGNORED for n in numbers])
        return batch


class LengthBuckets(Sampler[list[int]]):
    """Batches of positions: shuffled each epoch, items of like length together.

    Deterministic in seed and epoch; `set_epoch` is called by the trainer, and each full
    iteration moves to the next epoch. `part` takes a process's own part of a batch.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int,
        part: Callable[[Sequence[int]], list[int]] = list,
    ) -> None:
        self._lengths = np.asarray(lengths)
        self._batch_size, self._seed, self._epoch = batch_size, seed, 0
        self._part = part

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng((self._seed, self._epoch))
        order = rng.permutation(len(self._lengths))
        size = self._batch_size * _BUCKET_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            bucket = order[start : start + size]
            bucket = bucket[np.argsort(self._lengths[bucket], kind="stable")]
            for first in range(0, len(bucket), self._batch_size):
                batches.append(bucket[first : first + self._batch_size].tolist())
        yield from (self._part(batches[i]) for i in rng.permutation(len(batches)))
        self._epoch += 1
