"""Real processes under torchrun on a processor; a GPU each is the same code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from agent.understanding.interpreter import Interpreter
from tests.training.tiny import examples
from training.errors import TrainingError
from training.network import ranks, several
from training.options import TrainOptions

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def _write(path: Path) -> Path:
    rows = [
        {
            "text": e.text,
            "intent": e.intent,
            "entities": [{"start": s.start, "end": s.end, "label": s.label} for s in e.entities],
        }
        for e in examples().examples
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.slow
def test_all_processes_come_to_the_weights_that_one_alone_comes_to(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    command = ["-m", "tests.training.course", str(tmp_path), str(tiny_encoder)]
    subprocess.run([*TORCHRUN, *command], check=True, timeout=300)
    subprocess.run([sys.executable, *command], check=True, timeout=300)
    alone = load_file(tmp_path / "0-of-1")
    first, second = (load_file(tmp_path / f"{n}-of-2") for n in (0, 1))
    for name, weights in first.items():
        assert weights.equal(second[name]), name
        # Dropout falls differently on parts of a batch; what was learned is nearly the same.
        assert (weights - alone[name]).abs().mean() < 0.02, name


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "head"])
def test_the_command_under_torchrun_writes_one_model_and_ends(
    method: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    command = ["-m", "agent", "train", "--nlu", str(_write(tmp_path / "nlu.jsonl"))]
    command += ["--encoder", str(tiny_encoder), "--method", method, "--epochs", "2", "--json"]
    command += ["--out", str(tmp_path / "model")]
    done = subprocess.run(
        [*TORCHRUN, *command], check=True, timeout=300, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(done.stdout)["model"] == str(tmp_path / "model")
    understood = Interpreter.load(tmp_path / "model").understand(["hello there"])
    assert understood[0].ranking


def test_alone_everything_is_this_process_s() -> None:
    assert (ranks.number(), ranks.count()) == (0, 1)
    assert ranks.part([3, 4, 5]) == [3, 4, 5]
    assert ranks.agreed("mine") == "mine"


@pytest.mark.parametrize(
    ("visible", "number", "seen"),
    [(None, 1, "1"), ("2,3", 0, "2"), ("2,3", 1, "3"), ("2,3", 2, "")],
)
def test_each_process_sees_a_gpu_of_its_own(
    visible: str | None, number: int, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    several._take_gpu(number)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


def test_after_a_training_that_failed_half_way_the_others_are_not_called_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(ranks, "_tell", lambda what: what)
    monkeypatch.setattr(ranks, "_group", ranks._Group())
    options = TrainOptions()
    with pytest.raises(ZeroDivisionError), ranks.leading(None, None, options):  # type: ignore[arg-type]
        raise ZeroDivisionError
    with (
        pytest.raises(TrainingError, match="start torchrun again"),
        ranks.leading(None, None, options),  # type: ignore[arg-type]
    ):
        pass
