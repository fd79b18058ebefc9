"""Every engine gives the network's outputs: int8 ONNX, torch on a CPU, torch on a GPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from agent.errors import ModelError
from agent.understanding.engine import NETWORK_FILE, Engine, OnnxEngine, open_engine
from agent.understanding.interpreter import Interpreter
from agent.understanding.network import load_network
from agent.understanding.torch_engine import TorchEngine
from tests.training.tiny import examples, make_encoder
from training.finetune import train_understanding
from training.options import TrainOptions

IDS = np.array([[2, 7, 8, 9, 3], [2, 20, 3, 0, 0], [2, 31, 32, 3, 0]], dtype=np.int64)
MASK = (IDS > 0).astype(np.int64)
# The largest difference of a pooled unit vector's component that rounding may make.
TOLERANCE = {"onnx": 0.05, "torch": 1e-5, "cuda": 0.02}
no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
ENGINES = ["onnx", "torch", pytest.param("cuda", marks=no_gpu)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder = make_encoder(tmp_path_factory.mktemp("engine") / "encoder")
    out = tmp_path_factory.mktemp("engine")
    options = TrainOptions(
        encoder=str(encoder), threads=1, method="full", epochs=30, learning_rate=3e-3
    )
    train_understanding(examples(), out, options)
    return out


@pytest.fixture
def engine(request: pytest.FixtureRequest, folder: Path) -> Engine:
    makers: dict[str, Callable[[], Engine]] = {
        "onnx": lambda: OnnxEngine(folder / NETWORK_FILE, threads=1),
        "torch": lambda: TorchEngine(folder, "cpu"),
        "cuda": lambda: TorchEngine(folder, "cuda"),
    }
    return makers[request.param]()


@pytest.mark.parametrize(
    ("engine", "tolerance"),
    [
        pytest.param(e, TOLERANCE[e], marks=no_gpu if e == "cuda" else ())
        for e in ("onnx", "torch", "cuda")
    ],
    indirect=["engine"],
)
def test_the_outputs_are_those_of_the_float_network(
    engine: Engine, tolerance: float, folder: Path
) -> None:
    with torch.inference_mode():
        wanted = load_network(folder).eval()(torch.from_numpy(IDS), torch.from_numpy(MASK))
    outputs = engine(IDS, MASK)
    assert np.allclose(outputs["pooled"], wanted.pooled.numpy(), atol=tolerance)
    assert (outputs["intent_logits"].argmax(1) == wanted.intent_logits.numpy().argmax(1)).all()
    tags = outputs["entity_logits"].argmax(2)[MASK == 1]
    assert (tags == wanted.entity_logits.numpy().argmax(2)[MASK == 1]).all()


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_padding_and_company_change_nothing(engine: Engine) -> None:
    together = engine(IDS, MASK)
    alone = engine(IDS[1:2, :3], MASK[1:2, :3])
    assert np.allclose(together["pooled"][1], alone["pooled"][0], atol=0.05)
    assert alone["entity_logits"].shape[:2] == (1, 3)
    assert all(value.dtype == np.float32 for value in together.values())


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_a_pass_may_be_repeated_and_gives_the_same(engine: Engine) -> None:
    first = engine(IDS, MASK)
    engine(IDS[:2], MASK[:2])
    again = engine(IDS, MASK)
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_without_a_gpu_auto_takes_the_processor_and_cuda_says_why_not(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert isinstance(open_engine(folder, device="auto"), OnnxEngine)
    with pytest.raises(ModelError, match="no GPU"):
        open_engine(folder, device="cuda")


def test_a_model_without_float_weights_cannot_be_asked_onto_a_gpu(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="train with method full or lora"):
        open_engine(tmp_path, device="cuda")
    assert Interpreter.load(folder, device="cpu").intents == ("book", "greet", "send")
