"""The courses in which a network is taught: the first, what compresses it, and the one after."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import TrainerCallback

from agent.project.types import Example
from training import label_names
from training.batches import IGNORED
from training.cures import pseudo
from training.cures.more_text import variations
from training.cures.pseudo import pseudo_labelled
from training.fitted import intent_weights, targets_of
from training.frozen.linear import fit_linear
from training.network.adapters import allocations
from training.network.compress import Teacher, mixtures, shortened
from training.network.logs import log_callbacks
from training.network.losses import ContrastBank
from training.network.measure import noise, score
from training.network.predict import predict
from training.network.start import Part, Run, head_of, part_of
from training.network.trainer import Judge, StopAt, Teach, fine_tune
from training.options import silent

_NO_ENTITIES = (label_names.SOURCE, pseudo.SOURCE)
_SECOND_COURSE_EPOCHS = 1.0
_SECOND_COURSE_RATE = 0.3
# Half of the layers have to learn what all of them did: larger steps than for fine-tuning.
_COMPRESS_RATE = 5e-4
# A small network needs so many passes of examples at the least, and learns more from texts that
# only the larger one labels than from another look at those that people labelled.
_COMPRESS_PASSES = 25_000
_LOOKS = 2.0
_MOST_MIXTURES = 9


def teach(
    run: Run, rest: Part, judged: Part, more: list[Example], folder: Path
) -> tuple[Run, list[Example]]:
    """The network that was taught `rest`, compressed if asked for, and what it learned beside."""
    run, more = _learned(run, rest, judged, more, folder)
    if run.options.compress:
        run = _compressed(run, rest, more, folder / "small")
    return run, more


def _learned(
    run: Run, rest: Part, judged: Part, more: list[Example], folder: Path
) -> tuple[Run, list[Example]]:
    """The network after its first course, or after as many as the cures ask for.

    Pseudo-labels are given by a network of its own; an ensemble teaches another one. The
    examples learned beside `rest` are answered, too.
    """
    recipe, fresh = run.recipe, copy.deepcopy(run.network)

    def course(seed: int, name: str, teach: Teach | None = None) -> Run:
        options = replace(run.options, seed=seed)
        one = replace(run, network=copy.deepcopy(fresh), options=options)
        _first_course(one, _with_more(one, rest, more), judged, folder / name, teach)
        return one

    seed = run.options.seed
    if recipe.pseudo and run.options.unlabelled:
        guessing = course(seed, "guessing")
        texts = run.options.unlabelled
        more = [*more, *pseudo_labelled(guessing, texts, judged, recipe.pseudo)]
    if recipe.ensemble > 1:
        pupils = [course(seed + i, f"teacher-{i}").network for i in range(recipe.ensemble)]
        return course(seed, "first", Teacher(tuple(pupils)).loss), more
    return course(seed, "first"), more


def _with_more(run: Run, part: Part, more: Sequence[Example]) -> Part:
    """The part and further examples; names and guesses are no text to learn entities from."""
    learned = part_of(run, [*part.examples, *more])
    items = [
        replace(i, tags=(IGNORED,) * len(i.tags)) if e.source in _NO_ENTITIES else i
        for e, i in zip(learned.examples, learned.items, strict=True)
    ]
    return Part(learned.examples, items)


def _first_course(run: Run, learned: Part, judged: Part, folder: Path, teach: Teach | None) -> None:
    bank = _start_heads(run, learned)
    share = 0.35 if run.options.compress else 0.75
    judge = None
    if judged.items:
        judge = Judge(lambda _network: score(run, judged), noise=noise(judged))
    fine_tune(
        run.network,
        learned.items,
        run.recipe,
        folder=folder,
        pad_id=run.pad_id,
        seed=run.options.seed,
        judge=judge,
        progress=lambda done, text: run.options.progress(0.05 + share * done, text),
        keep=run.options.checkpoints is not None,
        callbacks=[*_watchers(run, folder.name), *allocations(run.network)],
        bank=bank,
        change=variations(run, learned),
        teach=teach,
    )


def _start_heads(run: Run, part: Part) -> ContrastBank | None:
    """Begin with the logistic heads of the frozen encoder instead of random ones.

    Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", LP-FT.
    """
    frozen = predict(run.network, part.items, (), run.pad_id)
    targets = targets_of(run.corpus, part.examples)
    for output, numbers in targets.items():
        head = head_of(run.network, output)
        weights = intent_weights(output, part.examples)
        linear = fit_linear(frozen.pooled, numbers, head.out_features, weights=weights)
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(linear.weight))
            head.bias.copy_(torch.from_numpy(linear.bias))
    run.options.progress(0.05, "heads fitted")
    if not run.recipe.contrast_weight or "intent" not in targets:
        return None
    device = run.network.device
    return ContrastBank(
        torch.from_numpy(frozen.pooled).to(device),
        torch.from_numpy(targets["intent"]).to(device),
        run.recipe.contrast_temperature,
    )


def _compressed(run: Run, rest: Part, more: Sequence[Example], folder: Path) -> Run:
    small = shortened(run.network)
    recipe = replace(run.recipe, freeze_share=0.0, encoder_rate=_COMPRESS_RATE)
    if recipe.rdrop:
        # The teacher's outputs steady the small network; its time is better spent on epochs.
        recipe = replace(recipe, rdrop=0.0, epochs=2 * recipe.epochs)
    items = _with_more(run, rest, more).items
    passes = recipe.epochs * len(items)
    if run.options.epochs is None:
        passes = max(passes, _COMPRESS_PASSES)
    copies = min(_MOST_MIXTURES, max(0, int(passes / len(items) / _LOOKS) - 1))
    items = [*items, *mixtures(items, copies, run.tokenization.max_tokens, run.options.seed)]
    fine_tune(
        small,
        items,
        replace(recipe, epochs=passes / len(items)),
        folder=folder,
        pad_id=run.pad_id,
        seed=run.options.seed,
        judge=None,
        progress=lambda done, text: run.options.progress(0.4 + 0.4 * done, f"compressing, {text}"),
        keep=run.options.checkpoints is not None,
        callbacks=_watchers(run, "small"),
        teach=Teacher((run.network,), notes={}).loss,
    )
    return replace(run, network=small, teacher=run.network)


def second_course(run: Run, everything: Part, more: Sequence[Example], folder: Path) -> None:
    """Show a trained network all examples once more, in small steps.

    A compressed one's teacher sees them first, and teaches it again.
    """
    taught = None
    if run.teacher is not None:
        quiet = replace(run.options, progress=silent)
        larger = replace(run, network=run.teacher, teacher=None, options=quiet)
        second_course(larger, everything, more, folder / "teacher")
        taught = Teacher((run.teacher,)).loss
    recipe = replace(
        run.recipe,
        epochs=_SECOND_COURSE_EPOCHS,
        encoder_rate=run.recipe.encoder_rate * _SECOND_COURSE_RATE,
        head_rate=run.recipe.head_rate * _SECOND_COURSE_RATE,
    )
    fine_tune(
        run.network,
        _with_more(run, everything, more).items,
        recipe,
        folder=folder,
        pad_id=run.pad_id,
        seed=run.options.seed,
        judge=None,
        progress=lambda done, text: run.options.progress(0.8 + 0.05 * done, text),
        callbacks=_clock(run),
        teach=taught,
    )


def _watchers(run: Run, course: str) -> list[TrainerCallback]:
    """Those that are told of every step of a course: the writers of curves, and the clock."""
    return [*log_callbacks(run.options.logs, course), *_clock(run)]


def _clock(run: Run) -> list[TrainerCallback]:
    return [] if run.options.deadline is None else [StopAt(run.options.deadline)]
