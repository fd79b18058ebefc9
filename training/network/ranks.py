"""Several processes of one machine train one network: gradients are shared, the first decides.

`torchrun` starts the same command several times. The first process does all of it; the others
`follow`: they are told of each training, take their part of every batch on a GPU of their own,
and forget the rest.  [door: torch.distributed]
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from training.corpus import Corpus
from training.errors import TrainingError
from training.network.several import LAUNCHED
from training.options import TrainOptions

# The first process may serve for days between two trainings.
_PATIENCE = timedelta(days=365)
_FACTS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", LAUNCHED)
# Options that only the first process acts on.
_OWN = ("progress", "checkpoints", "logs", "dev")
_CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass(slots=True)
class _Group:
    """The processes; `lost` since a training failed half-way."""

    lost: bool = False


_group = _Group()


def join() -> None:
    """Meet the other processes that `torchrun` started; nothing where it did not.

    Raises:
        TrainingError: there are GPUs, but not one for each process.
    """
    if LAUNCHED not in os.environ or dist.is_initialized():
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE)
    found: list[bool] = [False] * dist.get_world_size()
    dist.all_gather_object(found, torch.cuda.is_available())
    if any(found) and not all(found):
        raise TrainingError(f"{len(found)} processes were started, for {sum(found)} GPUs")
    # Neither the trainer nor processes that this one starts are to see several: we share.
    for name in _FACTS:
        os.environ.pop(name, None)


def number() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes train."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def leading(corpus: Corpus, dev: Corpus | None, options: TrainOptions) -> Iterator[None]:
    """Let the other processes train the same within the block.

    Raises:
        TrainingError: an earlier training failed half-way, where the others still wait in it.
    """
    join()
    if count() == 1:
        yield
        return
    if _group.lost:
        raise TrainingError("the other processes were lost with a training: start torchrun again")
    told = TrainOptions(
        **{name: getattr(options, name) for name in options.__slots__ if name not in _OWN}
    )
    _tell((corpus, dev, told))
    try:
        yield
    except BaseException:
        _group.lost = True
        raise


def follow() -> Iterator[tuple[Corpus, Corpus | None, TrainOptions]]:
    """The trainings that the first process begins, until it has ended."""
    join()
    while (course := _tell(None)) is not None:
        yield course
    _part_ways()


def dismiss() -> None:
    """Tell the others that nothing follows; they end."""
    join()
    if dist.is_initialized() and not _group.lost:
        _tell(None)
        _part_ways()


def _part_ways() -> None:
    """End the connections together: threads that still wait on one abort a process that ends."""
    dist.barrier()
    dist.destroy_process_group()


def _tell(what: Any) -> Any:
    """What the first process tells all; it travels in memory and is never stored."""
    told = [what]
    dist.broadcast_object_list(told, src=0, device=_CPU)
    return told[0]


def agreed(value: T) -> T:
    """The first process's value, in every process."""
    return value if count() == 1 else _tell(value)


def part(batch: Sequence[int]) -> list[int]:
    """This process's part of a batch; of one that is too short for all, at least one item."""
    mine = list(batch[number() :: count()])
    return mine or [batch[number() % len(batch)]]


def begin_alike(network: nn.Module) -> None:
    """Give every process's network the first one's weights."""
    if count() > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, src=0)


def average_gradients(network: nn.Module) -> None:
    """Give every process the mean of all gradients; a weight that none reached gets zero."""
    if count() == 1:
        return
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    sums = [dist.all_reduce(weight.grad, async_op=True) for weight in weights]
    for weight, total in zip(weights, sums, strict=True):
        total.wait()
        assert weight.grad is not None
        weight.grad /= count()
