"""The training loop: transformers' Trainer with our loss, batches, rates and early stopping."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from agent.understanding.network import JointNetwork, JointOutput
from training.batches import Collate, Item, Items, LengthBuckets
from training.cures.losses import Adversary, disagreement, halves
from training.network import ranks
from training.network.losses import ContrastBank, joint_loss
from training.network.predict import has_bfloat16
from training.network.recipe import Recipe
from training.options import Progress

Teach = Callable[[JointOutput, Mapping[str, Tensor]], Tensor]


class JointTrainer(Trainer):  # type: ignore[misc]
    """Trainer of a `JointNetwork`: length buckets, layer-wise rates, the joint loss.

    `teach` adds a loss of its own for a batch's outputs.
    """

    def __init__(
        self,
        recipe: Recipe,
        pad_id: int,
        bank: ContrastBank | None,
        teach: Teach | None,
        **arguments: Any,
    ) -> None:
        self.optimizer: torch.optim.Optimizer | None = None
        super().__init__(**arguments)
        self.recipe, self.pad_id, self.bank, self.teach = recipe, pad_id, bank, teach
        strength, steps = recipe.adversarial, recipe.adversarial_steps
        self.adversary = Adversary(self.model, strength, steps) if strength else None

    def get_train_dataloader(self) -> DataLoader[tuple[int, Item]]:
        """Batches of items of like length, padded to the longest of the batch."""
        items: Items = self.train_dataset
        lengths = [len(item.tokens.ids) for item in items.items]
        sampler = LengthBuckets(lengths, self.recipe.batch_size, self.args.seed, ranks.part)
        return DataLoader(items, batch_sampler=sampler, collate_fn=Collate(self.pad_id))

    def training_step(self, *arguments: Any, **options: Any) -> Tensor:
        """One batch; its gradients are those of all processes."""
        loss: Tensor = super().training_step(*arguments, **options)
        if self.accelerator.sync_gradients:
            ranks.average_gradients(self.model)
        return loss

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW with a rate for each layer."""
        if self.optimizer is None:
            groups = parameter_groups(self.model, self.recipe)
            self.optimizer = torch.optim.AdamW(groups, lr=self.recipe.encoder_rate, fused=True)
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Mapping[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The joint loss of a batch, with the cures that the recipe asks for."""
        outputs: list[JointOutput] = []

        def once() -> Tensor:
            passes = self._passes(model, inputs)
            outputs.append(passes[0])
            return self._loss_of(passes, inputs)

        loss = once() if self.adversary is None else self.adversary.loss(once)
        return (loss, outputs[0]) if return_outputs else loss

    def _passes(self, model: nn.Module, inputs: Mapping[str, Tensor]) -> list[JointOutput]:
        """What the network says of a batch; with R-Drop twice, in one larger pass."""
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        if not self.recipe.rdrop:
            return [model(ids, mask)]
        return halves(model(torch.cat([ids, ids]), torch.cat([mask, mask])))

    def _loss_of(self, passes: Sequence[JointOutput], inputs: Mapping[str, Tensor]) -> Tensor:
        """The mean loss of the passes, what they disagree by, and what a teacher adds."""
        losses = [joint_loss(output, inputs, self.recipe, self.bank) for output in passes]
        loss = torch.stack(losses).mean()
        if len(passes) > 1:
            loss = loss + self.recipe.rdrop * disagreement(passes[0], passes[1], inputs["tags"])
        if self.teach is not None:
            loss = loss + self.teach(passes[0], inputs)
        return loss


def parameter_groups(network: JointNetwork, recipe: Recipe) -> list[dict[str, Any]]:
    """AdamW's groups: the heads, then each layer with its decayed rate; biases do not decay."""
    layers = encoder_layers(network.encoder)
    depth = {id(p): i for i, layer in enumerate(layers) for p in layer.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = recipe.head_rate
        if name.startswith("encoder."):
            below = len(layers) - 1 - depth.get(id(parameter), -1)
            rate = recipe.encoder_rate * recipe.layer_decay**below
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "weight_decay": d} for (rate, d), p in groups.items()]


def encoder_layers(encoder: nn.Module) -> list[nn.Module]:
    """The transformer layers, first to last: the longest list of modules in the encoder."""
    lists = [list(m) for m in encoder.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=len, default=[])


def freeze(network: JointNetwork, recipe: Recipe) -> None:
    """Keep the word embeddings (most of a small encoder's weights) and low layers as they are."""
    if recipe.freeze_embeddings:
        network.encoder.get_input_embeddings().requires_grad_(False)
    layers = encoder_layers(network.encoder)
    lowest = layers[: int(len(layers) * recipe.freeze_share)]
    if lowest and hasattr(network.encoder, "embeddings"):
        network.encoder.embeddings.requires_grad_(False)
    for layer in lowest:
        layer.requires_grad_(False)


@dataclass(frozen=True, slots=True)
class Course:
    """How a run went: (share done, score) of each evaluation, steps, seconds."""

    scores: tuple[tuple[float, float], ...]
    steps: int
    took_s: float


@dataclass(frozen=True, slots=True)
class Judge:
    """`score` rates a network, higher = better; two scores within `noise` count as equal."""

    score: Callable[[JointNetwork], float]
    noise: float


class Watch(TrainerCallback):  # type: ignore[misc]
    """Reports progress, evaluates a few times a run, keeps the best weights, stops early."""

    def __init__(
        self, network: JointNetwork, judge: Judge | None, recipe: Recipe, progress: Progress
    ) -> None:
        self.network, self.judge, self.recipe, self.progress = network, judge, recipe, progress
        self.scores: list[tuple[float, float]] = []
        self.log: Callable[[dict[str, float]], None] = lambda _values: None
        self._best, self._best_at = -float("inf"), 0
        self._weights: dict[str, Tensor] = {}
        self._loss = 0.0

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Remember the last loss for the progress line."""
        self._loss = float((kwargs.get("logs") or {}).get("loss", self._loss))

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> None:
        """Progress after each step, an evaluation now and then."""
        last = state.global_step == state.max_steps
        done = state.global_step / max(state.max_steps, 1)
        self.progress(done, f"loss {self._loss:.3f}")
        every = math.ceil(state.max_steps / self.recipe.evaluations)
        if self.judge is not None and (last or state.global_step % every == 0):
            self._evaluate(self.judge, done)
            if len(self.scores) - 1 - self._best_at >= self.recipe.patience:
                control.should_training_stop = True

    def _evaluate(self, judge: Judge, done: float) -> None:
        score = ranks.agreed(judge.score(self.network))
        # Later weights have seen more; only a gain beyond chance speaks for earlier ones.
        if score > self._best - judge.noise:
            self._best, self._best_at = max(score, self._best), len(self.scores)
            self._weights = {
                name: value.detach().clone() for name, value in self.network.state_dict().items()
            }
        self.scores.append((round(done, 3), score))
        self.log({"dev_score": score})

    def restore_best(self) -> None:
        """Put the best weights back."""
        if self._weights:
            self.network.load_state_dict(self._weights)


class StopAt(TrainerCallback):  # type: ignore[misc]
    """Ends a run with what it has reached, once `monotonic()` is past `deadline` (seconds)."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> None:
        """Look at the clock after each step."""
        if ranks.agreed(monotonic() > self.deadline):
            control.should_training_stop = True


def fine_tune(
    network: JointNetwork,
    items: Sequence[Item],
    recipe: Recipe,
    *,
    folder: Path,
    pad_id: int,
    seed: int,
    judge: Judge | None,
    progress: Progress,
    keep: bool = False,
    bank: ContrastBank | None = None,
    change: Callable[[int], Item] | None = None,
    teach: Teach | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Course:
    """Train the network in place; with a `judge` the best weights stay.

    `folder` receives the trainer's own files; with `keep`, a checkpoint after each epoch,
    and a run that finds one there goes on from it. `change` gives a row's item, varied;
    `teach` is a loss beside that of the labels; `callbacks` are told of every step, too.
    """
    freeze(network, recipe)
    watch = Watch(network, judge, recipe, progress)
    trainer = JointTrainer(
        recipe,
        pad_id,
        bank,
        teach,
        model=network,
        args=_arguments(recipe, folder, seed, network.device, keep),
        train_dataset=Items(items, change),
        callbacks=[watch, *callbacks],
    )
    watch.log = trainer.log
    # Its printer writes to standard output, which belongs to our own answers.
    trainer.remove_callback(PrinterCallback)
    started = monotonic()
    ranks.begin_alike(network)
    trainer.train(resume_from_checkpoint=ranks.agreed(_last_checkpoint(folder)))
    # It wrapped `forward` into mixed precision, which must not reach the export.
    trainer.accelerator.unwrap_model(network, keep_fp32_wrapper=False)
    watch.restore_best()
    return Course(tuple(watch.scores), trainer.state.global_step, monotonic() - started)


def _last_checkpoint(folder: Path) -> str | None:
    found: str | None = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    return found


def _arguments(
    recipe: Recipe, folder: Path, seed: int, device: torch.device, keep: bool
) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulate,
        num_train_epochs=recipe.epochs,
        warmup_steps=recipe.warmup,
        lr_scheduler_type="linear",
        bf16=has_bfloat16(device),
        use_cpu=device.type == "cpu",
        seed=seed,
        max_grad_norm=1.0,
        logging_steps=10,
        save_strategy="epoch" if keep else "no",
        save_total_limit=1,
        eval_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
    )
