"""The network in torch: bfloat16 and CUDA graphs on a GPU, float32 on a CPU [door: torch]."""

import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agent.errors import ModelError
from agent.understanding.network import JointNetwork, JointOutput, load_network

# Graphs are recorded for these shapes only, smaller batches are padded to the next one.
_ROWS = (1, 2, 4, 8, 16, 32)
_WIDTH_STEP = 16
_MOST_GRAPHS = 64
_WARM_UP_RUNS = 3
log = logging.getLogger(__name__)

Floats = NDArray[np.float32]


@dataclass(slots=True)
class _Graph:
    """A recorded pass: its inputs (B, T) are overwritten and its outputs read at each replay."""

    graph: torch.cuda.CUDAGraph
    ids: Tensor
    mask: Tensor
    outputs: dict[str, Tensor]


class TorchEngine:
    """Runs a network trained with method full or lora; one pass at a time.

    On a GPU the weights are bfloat16 and each shape's pass is recorded once as a CUDA graph,
    so that a short message costs one launch instead of some hundred; a network that cannot be
    recorded runs without.

    Raises:
        ModelError: the folder holds no float weights, they are damaged, or there is no such device.
    """

    def __init__(self, folder: Path, device: str) -> None:
        network = load_network(folder)
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ModelError("there is no GPU that torch can use; set understanding.device to cpu")
        on_gpu = device.startswith("cuda")
        self._device = torch.device(device)
        dtype = torch.bfloat16 if on_gpu else torch.float32
        self._network: JointNetwork = network.to(self._device, dtype).eval()
        self._longest = int(network.encoder.config.max_position_embeddings) - 2
        self._graphs: dict[tuple[int, int], _Graph] = {}
        self._record = on_gpu
        self._lock = Lock()

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> dict[str, Floats]:
        """See `agent.understanding.engine.Engine`."""
        rows, width = ids.shape
        with self._lock, torch.inference_mode():
            if self._record and rows <= _ROWS[-1]:
                ids, mask = self._padded(ids), self._padded(mask)
                mask[rows:, 0] = 1  # a row of padding alone has no mean
            outputs = self._run(torch.from_numpy(ids), torch.from_numpy(mask))
            return {
                name: value[:rows, :width].float().cpu().numpy()
                if name == "entity_logits"
                else value[:rows].float().cpu().numpy()
                for name, value in outputs.items()
            }

    def _run(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        ids, mask = ids.to(self._device), mask.to(self._device)
        graph = self._graph(ids, mask) if self._record else None
        if graph is None:
            return _named(self._network(ids, mask))
        graph.ids.copy_(ids)
        graph.mask.copy_(mask)
        graph.graph.replay()
        return graph.outputs

    def _graph(self, ids: Tensor, mask: Tensor) -> _Graph | None:
        shape = (ids.shape[0], ids.shape[1])
        if shape not in self._graphs and len(self._graphs) < _MOST_GRAPHS:
            try:
                self._graphs[shape] = self._recorded(ids.clone(), mask.clone())
            except RuntimeError as error:  # an operation that no graph may hold
                log.warning("the network runs without CUDA graphs: %s", str(error).split("\n")[0])
                self._record = False
        return self._graphs.get(shape)

    def _recorded(self, ids: Tensor, mask: Tensor) -> _Graph:
        # https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs: warm up aside first.
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP_RUNS):
                self._network(ids, mask)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = _named(self._network(ids, mask))
        return _Graph(graph, ids, mask, outputs)

    def _padded(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        # (B, T) with zeros up to the next shape that graphs are recorded for.
        rows, width = values.shape
        more_rows = next(size for size in _ROWS if size >= rows) - rows
        more_columns = min(-width % _WIDTH_STEP, max(self._longest - width, 0))
        return np.pad(values, ((0, more_rows), (0, more_columns)))


def _named(output: JointOutput) -> dict[str, Tensor]:
    named = {
        "pooled": output.pooled,
        "intent_logits": output.intent_logits,
        "entity_logits": output.entity_logits,
        **{f"head_{name}": value for name, value in (output.head_logits or {}).items()},
    }
    return {name: value for name, value in named.items() if value is not None}
