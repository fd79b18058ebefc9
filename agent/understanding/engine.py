"""What runs the network's forward pass: the int8 ONNX graph on a CPU, torch on a GPU."""

import logging
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from agent.errors import ModelError
from knowledge.session import new_session

Floats = NDArray[np.float32]
Device = Literal["auto", "cpu", "cuda"]

NETWORK_FILE = "understanding.onnx"
WEIGHTS_FILE = "network.safetensors"
# The driver's own file: looking for it costs nothing, asking torch costs seconds.
_DRIVER = Path("/dev/nvidiactl")
log = logging.getLogger(__name__)


class Engine(Protocol):
    """Runs the network; may be called from several threads."""

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> dict[str, Floats]:
        """Token ids and mask (B, T) to the outputs by name.

        `pooled` (B, H) unit length, and what the model has of `intent_logits` (B, C),
        `entity_logits` (B, T, L) and `head_<name>` (B, C).
        """


def open_engine(folder: Path, *, device: Device = "cpu", threads: int = 1) -> Engine:
    """The engine for a model folder.

    Args:
        folder: the model folder.
        device: `cpu`: int8 ONNX. `cuda`: torch in bfloat16. `auto`: `cuda` where there is a
            GPU and the model holds float weights (methods full and lora), else `cpu`.
        threads: processor threads of one forward pass on the CPU.

    Raises:
        ModelError: a file is missing or damaged, or `cuda` was asked for and cannot be had.
    """
    if device == "cpu" or (device == "auto" and not _may_use_gpu(folder)):
        return OnnxEngine(folder / NETWORK_FILE, threads)
    # Imports torch: only where a GPU does the work.
    from agent.understanding.torch_engine import TorchEngine

    try:
        return TorchEngine(folder, "cuda")
    except ModelError as error:
        if device == "cuda":
            raise
        log.warning("understanding runs on the CPU: %s", error)
        return OnnxEngine(folder / NETWORK_FILE, threads)


def _may_use_gpu(folder: Path) -> bool:
    return _DRIVER.exists() and (folder / WEIGHTS_FILE).is_file()


class OnnxEngine:
    """The int8 ONNX graph on the CPU.

    Raises:
        ModelError: the graph is missing or damaged.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._session = _open_session(path, threads)
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> dict[str, Floats]:
        """See `Engine`."""
        outputs = self._session.run(self._names, {"input_ids": ids, "attention_mask": mask})
        return dict(zip(self._names, outputs, strict=True))


def _open_session(path: Path, threads: int) -> ort.InferenceSession:
    if not path.is_file():
        raise ModelError(f"{path} is missing; run `agent train` to make the model again")
    try:
        return new_session(path, threads)
    # onnxruntime's errors share no base class of their own below Exception.
    except Exception as error:
        raise ModelError(
            f"{path} is damaged: it holds no readable network; run `agent train` to make the "
            "model again"
        ) from error
