"""Methods `full` and `lora`: fine-tunes the network and exports it."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.understanding.network import load_network, save_network
from agent.understanding.spelling import Spelling
from agent.understanding.transitions import Transitions, follow_scores
from training.corpus import Corpus, hold_out
from training.cures.more_text import read_domain, translated_examples
from training.export import export_network
from training.fitted import Fitted, HeldOut, known_of, transitions_of
from training.frozen.spelling_mix import with_spelling
from training.label_names import name_examples
from training.network import ranks
from training.network.adapters import adapter_recipe, add_adapters, merge_adapters
from training.network.checkpoints import work_folder
from training.network.courses import second_course, teach
from training.network.measure import graph_outputs, graph_score, noise, score
from training.network.predict import predict
from training.network.start import Part, Run, carry_over, part_of, prepare_torch, start
from training.options import TrainOptions

# Up to this many examples, the final network is trained from the beginning on all of them: they
# are learned quickly, and each counts.
_FEW = 1500
# How far a network that went on from an earlier one is drawn back to it in the end, so that what
# was not corrected is forgotten less. Source: Wortsman et al. 2022, "Robust fine-tuning of
# zero-shot models". On BANKING77's training data held out, with ten examples a class and 119
# corrections: 1.1 points lost on classes without corrections instead of 3.0, and 0.6 points more
# right in all; a teacher there (learning without forgetting) does no better and takes longer.
_STAYS = 0.4
# Enough to see a difference of a few tenths of a point, few enough to be quick.
_MEASURED = 1000
# From this many on, held-out messages alone tell three tenths of a point.
_ENOUGH = 500


def fit_full(corpus: Corpus, dev: Corpus | None, out: Path, options: TrainOptions) -> Fitted:
    """Fine-tune and write `understanding.onnx`, the weights and the tokenizer into `out`.

    Without dev data a stratified tenth is held out to stop and calibrate; afterwards the
    network sees it in a short second course, or, where examples are few and there is time,
    another one learns all of them from the beginning. With `options.compress` a network of
    fewer layers learns from the fine-tuned one and takes its place. The recipe's cures come
    before (pretraining, translated examples) or make several courses of the first.
    Words and letters are read beside it where held-out messages say so.
    """
    with ranks.leading(corpus, dev, options):
        run, everything, judged, held = _trained(corpus, dev, options)
    held, spelling = with_spelling(corpus, held, _settled(options))
    spelling.save(out)
    return _finish(run, everything, judged, held, out)


def _settled(options: TrainOptions) -> Mapping[str, float] | None:
    """How much letters count beside a network that went on from an earlier one, by output."""
    if options.init_from is None or options.dev is not None:
        return None
    return Spelling.load(options.init_from).shares


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
    run = replace(run, follows=follow_scores(_transitions(run, rest)))
    read_domain(run)
    if options.method == "lora":
        run = replace(run, recipe=adapter_recipe(run.recipe))
        steps = math.ceil(len(rest.items) / run.recipe.batch_size * run.recipe.epochs)
        add_adapters(run.network, options.adapter, steps)
    with work_folder(corpus, options, run.recipe) as folder:
        more = [*name_examples(corpus), *translated_examples(run, rest)]
        everything = rest if dev else part_of(run, corpus.examples)
        twice = dev is None and bool(judged.items) and _begins_again(run)
        first = _reporting(run, 0.0, 0.4) if twice else run
        learned, known = teach(first, rest, judged, more, folder)
        held = _held_out(learned, rest, judged, "dev" if dev else "hold-out")
        if twice:
            # Unlabelled texts have their labels by now. What judges is among the taught, and
            # tells no more than whether the training came to grief.
            again = replace(_reporting(run, 0.4, 0.8), recipe=replace(run.recipe, pseudo=0.0))
            again = replace(again, options=replace(again.options, logs=None))
            learned, _ = teach(again, everything, judged, known, folder / "whole")
        elif dev is None:
            second_course(learned, everything, known, folder / "second")
    if options.method == "lora":
        merge_adapters(learned.network)
    if options.init_from is not None:
        carry_over(load_network(options.init_from), learned.network, share=_STAYS)
    return replace(learned, options=options), everything, judged, held


def _begins_again(run: Run) -> bool:
    """Whether a network learns all examples from the beginning, not only what was held out.

    One that must end by a given time would have to leave off half taught.
    """
    few, options = len(run.corpus.examples) <= _FEW, run.options
    return few and options.init_from is None and options.deadline is None


def _reporting(run: Run, first: float, last: float) -> Run:
    """The run with its progress, up to 0.8 for all courses, told as from `first` to `last`."""
    told = run.options.progress

    def progress(done: float, text: str) -> None:
        told(first + (last - first) * min(done / 0.8, 1.0), text)

    return replace(run, options=replace(run.options, progress=progress))


def _parts(run: Run, dev: Corpus | None) -> tuple[Part, Part]:
    examples = run.corpus.examples
    if dev is not None:
        return part_of(run, examples), part_of(run, dev.examples)
    kept, held = hold_out(examples)
    return part_of(run, [examples[i] for i in kept]), part_of(run, [examples[i] for i in held])


def _transitions(run: Run, part: Part) -> Transitions:
    return transitions_of(run.corpus, part.examples, (item.tags for item in part.items))


def _held_out(run: Run, rest: Part, judged: Part, source: str) -> HeldOut:
    if not judged.items:
        # Too few examples to spare any: nothing is calibrated.
        nothing = np.zeros((0, run.network.encoder.config.hidden_size), np.float32)
        return HeldOut((), {}, nothing, known_of(run.corpus, (), nothing), source="none")
    types = run.corpus.span_types
    found = predict(run.network, judged.items, types, run.pad_id, run.follows)
    around = predict(run.network, rest.items, (), run.pad_id)
    known = known_of(run.corpus, rest.examples, around.pooled)
    spans = found.spans if types else None
    return HeldOut(judged.examples, found.logits, found.pooled, known, spans, source=source)


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
    return Fitted(
        held,
        vectors,
        run.options.encoder,
        tokens.max_tokens,
        details,
        casing=tokens.casing,
        transitions=_transitions(run, everything),
    )
