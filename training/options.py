"""What a training run is told, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.project.types import FallbackConfig, NluData, Notice
from agent.project.values_config import ValuesConfig
from agent.understanding.labels import Spec
from agent.understanding.patterns import AS_WORDS, Matching
from knowledge.encoder_source import DEFAULT_ENCODER

Method = Literal["full", "head", "lora"]
Adapter = Literal["lora", "adalora"]
Progress = Callable[[float, str], None]


NO_FALLBACK = FallbackConfig()


def silent(_done: float, _text: str) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train.

    `dev` serves early stopping and calibration only; without it a part is held out.
    `init_from` continues from a model folder's weights (method head: takes over its vectors of
    known texts). None for `epochs`, `batch_size`
    and `learning_rate` means: chosen from the size of the data (see `training.network.recipe`).
    `learned_policy` is the kind of model that predicts actions no story shows.
    `scope_decides` says whether messages out of scope fall back where the project has no
    FallbackClassifier. `values` are those that the model finds beside its entities, `matching` is
    how its regexes and lookup tables match; `compress`
    halves the layers after training (method full); `logs` is a folder for TensorBoard's files;
    `adapter` is method lora's kind.
    `false_alarms` is the share of in-scope messages that the default threshold may flag.
    `progress` gets the share done in [0, 1] and a short text; `threads` 0 = all cores.
    `deadline` (seconds of `time.monotonic`) ends fine-tuning with what it has reached by then.
    `checkpoints` is a folder where methods full and lora save each epoch and go on from;
    `cures` are numbers of the recipe that those two methods are to use (see
    `training.cures.flags`); `unlabelled` are texts of the domain without labels, `conversations`
    marks of those that they are from, `translators` two translation models, there and back.
    """

    method: Method = "full"
    encoder: str = DEFAULT_ENCODER
    seed: int = 0
    dev: NluData | None = None
    init_from: Path | None = None
    fallback: FallbackConfig = NO_FALLBACK
    scope_decides: bool = True
    values: ValuesConfig | None = None
    matching: Matching = AS_WORDS
    learned_policy: Literal["linear", "transformer"] = "linear"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    max_tokens: int = 128
    false_alarms: float = 0.035
    threads: int = 0
    progress: Progress = silent
    checkpoints: Path | None = None
    cures: Mapping[str, float] = field(default_factory=dict)
    unlabelled: Sequence[str] = ()
    conversations: Sequence[str] = ()
    translators: tuple[str, str] | None = None
    compress: bool = False
    adapter: Adapter = "lora"
    logs: Path | None = None
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A finished run: the model's specification, measured figures and findings.

    `report` has the shape of `agent test --json` over the held-out examples that
    calibrated the model, with their number and source under `split` and `n`.
    """

    spec: Spec
    report: Mapping[str, Any]
    took_s: float
    notices: tuple[Notice, ...] = ()
