"""Methods `full` and `lora`: fine-tunes the network and exports it."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import TrainerCallback

from agent.project.types import Example
from agent.understanding.network import save_network
from training import label_names, pseudo, ranks
from training.adapters import adapter_recipe, add_adapters, allocations, merge_adapters
from training.batches import IGNORED
from training.checkpoints import work_folder
from training.compress import Teacher, shortened
from training.corpus import Corpus, hold_out
from training.export import export_network
from training.faithful import faithful
from training.fitted import Fitted, HeldOut, intent_weights, known_of, targets_of
from training.label_names import name_examples
from training.linear import fit_linear
from training.logs import log_callbacks
from training.losses import ContrastBank
from training.measure import graph_outputs, graph_score, noise, score
from training.more_text import read_domain, translated_examples, variations
from training.options import TrainOptions
from training.predict import predict
from training.pseudo import pseudo_labelled
from training.start import Part, Run, head_of, part_of, prepare_torch, start
from training.trainer import Judge, StopAt, Teach, fine_tune

_NO_ENTITIES = (label_names.SOURCE, pseudo.SOURCE)
_SECOND_COURSE_EPOCHS = 1.0
_SECOND_COURSE_RATE = 0.3
# Half of the layers have to learn what all of them did: larger steps than for fine-tuning.
_COMPRESS_RATE = 5e-4
# Enough to see a difference of a few tenths of a point, few enough to be quick.
_MEASURED = 1000
# From this many on, held-out messages alone tell three tenths of a point.
_ENOUGH = 500


def fit_full(corpus: Corpus, dev: Corpus | None, out: Path, options: TrainOptions) -> Fitted:
    """Fine-tune and write `understanding.onnx`, the weights and the tokenizer into `out`.

    Without dev data a stratified tenth is held out to stop and calibrate; afterwards the
    network sees it in a short second course. With `options.compress` a network of fewer
    layers learns from the fine-tuned one and takes its place. The recipe's cures come before
    (pretraining, translated examples) or make several courses of the first.
    """
    with ranks.leading(corpus, dev, options):
        run, everything, judged, held = _trained(corpus, dev, options)
    return _finish(run, everything, judged, held, out)


def help_training() -> None:
    """Take part in the trainings of another process, until it has ended."""
    for corpus, dev, options in ranks.follow():
        _trained(corpus, dev, options)


def _trained(
    corpus: Corpus, dev: Corpus | None, options: TrainOptions
) -> tuple[Run, Part, Part, HeldOut]:
    """The trained network, what it has seen, what judged it, and how it did on that."""
    prepare_torch(options)
    run = start(corpus, options)
    rest, judged = _parts(run, dev)
    read_domain(run)
    if options.method == "lora":
        run = replace(run, recipe=adapter_recipe(run.recipe))
        steps = math.ceil(len(rest.items) / run.recipe.batch_size * run.recipe.epochs)
        add_adapters(run.network, options.adapter, steps)
    with work_folder(corpus, options, run.recipe) as folder:
        more = [*name_examples(corpus), *translated_examples(run, rest)]
        run, more = _learned(run, rest, judged, more, folder)
        if options.compress:
            run = _compressed(run, rest, more, folder / "small")
        held = _held_out(run, rest, judged, "dev" if dev else "hold-out")
        everything = rest
        if dev is None:
            everything = part_of(run, corpus.examples)
            _second_course(run, everything, more, folder / "second")
    if options.method == "lora":
        merge_adapters(run.network)
    return run, everything, judged, held


def _parts(run: Run, dev: Corpus | None) -> tuple[Part, Part]:
    examples = run.corpus.examples
    if dev is not None:
        return part_of(run, examples), part_of(run, dev.examples)
    kept, held = hold_out(examples)
    return part_of(run, [examples[i] for i in kept]), part_of(run, [examples[i] for i in held])


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
    teach = teach or faithful(run, learned)
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


def _held_out(run: Run, rest: Part, judged: Part, source: str) -> HeldOut:
    if not judged.items:
        # Too few examples to spare any: nothing is calibrated.
        nothing = np.zeros((0, run.network.encoder.config.hidden_size), np.float32)
        return HeldOut((), {}, nothing, known_of(run.corpus, (), nothing), source="none")
    found = predict(run.network, judged.items, run.corpus.span_types, run.pad_id)
    around = predict(run.network, rest.items, (), run.pad_id)
    known = known_of(run.corpus, rest.examples, around.pooled)
    spans = found.spans if run.corpus.span_types else None
    return HeldOut(judged.examples, found.logits, found.pooled, known, spans, source=source)


def _compressed(run: Run, rest: Part, more: Sequence[Example], folder: Path) -> Run:
    small = shortened(run.network)
    recipe = replace(run.recipe, freeze_share=0.0, encoder_rate=_COMPRESS_RATE)
    if recipe.rdrop:
        # The teacher's outputs steady the small network; its time is better spent on epochs.
        recipe = replace(recipe, rdrop=0.0, epochs=2 * recipe.epochs)
    fine_tune(
        small,
        _with_more(run, rest, more).items,
        recipe,
        folder=folder,
        pad_id=run.pad_id,
        seed=run.options.seed,
        judge=None,
        progress=lambda done, text: run.options.progress(0.4 + 0.4 * done, f"compressing, {text}"),
        keep=run.options.checkpoints is not None,
        callbacks=_watchers(run, "small"),
        teach=Teacher((run.network,), notes={}).loss,
    )
    return replace(run, network=small)


def _second_course(run: Run, everything: Part, more: Sequence[Example], folder: Path) -> None:
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
    )


def _watchers(run: Run, course: str) -> list[TrainerCallback]:
    """Those that are told of every step of a course: the writers of curves, and the clock."""
    return [*log_callbacks(run.options.logs, course), *_clock(run)]


def _clock(run: Run) -> list[TrainerCallback]:
    return [] if run.options.deadline is None else [StopAt(run.options.deadline)]


def _probe(judged: Part, everything: Part) -> Part:
    """What int8 is measured on: held-out messages, filled up with known ones if they are few."""
    if len(judged.items) >= _ENOUGH:
        return Part(judged.examples[:_MEASURED], judged.items[:_MEASURED])
    return Part(
        (*judged.examples, *everything.examples)[:_MEASURED],
        (*judged.items, *everything.items)[:_MEASURED],
    )


def _finish(run: Run, everything: Part, judged: Part, held: HeldOut, out: Path) -> Fitted:
    run.options.progress(0.86, "exporting")
    run.network.to("cpu")
    save_network(run.network, out)
    run.tokenization.save(out / "tokenizer.json")
    target = out / "understanding.onnx"
    probe = _probe(judged, everything)
    quantized = export_network(
        run.network,
        target,
        measure=lambda path: graph_score(run, path, probe),
        # Finer int8 takes half as long again: a difference by chance is no reason for it.
        floor=score(run, probe) - noise(probe),
    )
    run.options.progress(0.93, "remembering the examples")
    vectors = np.stack(graph_outputs(run, target, everything, ["pooled"])["pooled"])
    details = {"quantized": quantized}
    tokens = run.tokenization
    encoder = run.options.encoder
    return Fitted(held, vectors, encoder, tokens.max_tokens, details, casing=tokens.casing)
