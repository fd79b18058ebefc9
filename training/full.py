"""Method `full`: fine-tunes the whole network and exports it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from agent.project.types import Example
from agent.understanding.labels import Spec
from agent.understanding.network import JointNetwork, build_network, load_network, save_network
from knowledge.encoder_source import source_folder
from training import metrics
from training.augment import Augmentation, value_pools
from training.batches import Item, changing, make_items
from training.corpus import Corpus, hold_out
from training.errors import InputError
from training.export import export_network
from training.features import Tokenization, open_session, run_graph
from training.fitted import (
    Fitted,
    HeldOut,
    output_name,
    split_known,
    targets_of,
    weights_of,
)
from training.linear import fit_linear
from training.losses import ContrastBank
from training.options import TrainOptions
from training.predict import Predictions, predict
from training.recipe import Recipe, choose_recipe
from training.trainer import Judge, fine_tune

Floats = NDArray[np.float32]


_SECOND_COURSE_EPOCHS = 1.0
_SECOND_COURSE_RATE = 0.3
# Enough to see a difference of a few tenths of a point, few enough to be quick.
_MEASURED = 1000


@dataclass(frozen=True, slots=True)
class Run:
    """What all steps of a run share."""

    corpus: Corpus
    options: TrainOptions
    recipe: Recipe
    network: JointNetwork
    tokenization: Tokenization
    pad_id: int


@dataclass(frozen=True, slots=True)
class Part:
    """Examples with their tensors."""

    examples: Sequence[Example]
    items: Sequence[Item]


def fit_full(corpus: Corpus, dev: Corpus | None, out: Path, options: TrainOptions) -> Fitted:
    """Fine-tune and write `understanding.onnx`, the weights and the tokenizer into `out`.

    Without dev data a stratified tenth is held out to stop and calibrate; afterwards the
    network sees it in a short second course.
    """
    prepare_torch(options)
    run = start(corpus, options)
    rest, judged = _parts(run, dev)
    with tempfile.TemporaryDirectory(prefix="agent-train-") as folder:
        _first_course(run, rest, judged, Path(folder))
        held = _held_out(run, rest, judged, "dev" if dev else "hold-out")
        everything = rest
        if dev is None:
            everything = _part(run, corpus.examples)
            _second_course(run, everything, Path(folder))
    return _finish(run, everything, judged, held, out)


def prepare_torch(options: TrainOptions) -> None:
    """Seeds, threads, and silence on standard output."""
    transformers.set_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def start(corpus: Corpus, options: TrainOptions) -> Run:
    """The network at the beginning, from an encoder or from an earlier model, and its tokenizer."""
    fresh = build_network(
        options.encoder,
        intents=corpus.intents,
        tags=tag_names(corpus),
        responses=corpus.responses,
        heads=corpus.heads,
    )
    if options.init_from is not None:
        carry_over(load_network(options.init_from), fresh)
    limit = min(options.max_tokens, int(fresh.encoder.config.max_position_embeddings) - 2)
    path = source_folder(options.encoder) / "tokenizer.json"
    if not path.is_file():
        raise InputError(
            "this encoder has no fast tokenizer (tokenizer.json); choose one that has", path=path
        )
    pad_id = int(fresh.encoder.config.pad_token_id or 0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Run(
        corpus,
        options,
        choose_recipe(corpus, options),
        fresh.to(device),
        Tokenization.load(path, limit),
        pad_id,
    )


def tag_names(corpus: Corpus) -> tuple[str, ...]:
    """The tags of the entity head; empty without entities."""
    return Spec(span_types=corpus.span_types).tags


def carry_over(old: JointNetwork, new: JointNetwork) -> None:
    """Copy the encoder's weights, and those rows of the heads whose label both networks have.

    Raises:
        InputError: the encoders have different shapes.
    """
    try:
        new.encoder.load_state_dict(old.encoder.state_dict())
    except RuntimeError as error:
        raise InputError(
            f"the model to continue from has another encoder ({old.config.encoder_name}); "
            "name the same one or train from scratch"
        ) from error
    for name in ("intent", "entity", "response"):
        labels = {"intent": "intents", "entity": "tags", "response": "responses"}[name]
        before, after = getattr(old.config, labels) or [], getattr(new.config, labels) or []
        rows = [(after.index(label), before.index(label)) for label in after if label in before]
        if rows:
            ours, theirs = (list(column) for column in zip(*rows, strict=True))
            with torch.no_grad():
                getattr(new, name).weight[ours] = getattr(old, name).weight[theirs]
                getattr(new, name).bias[ours] = getattr(old, name).bias[theirs]


def _parts(run: Run, dev: Corpus | None) -> tuple[Part, Part]:
    if dev is not None:
        return _part(run, run.corpus.examples), _part(run, dev.examples)
    kept, held = hold_out(run.corpus.examples)
    examples = run.corpus.examples
    return _part(run, [examples[i] for i in kept]), _part(run, [examples[i] for i in held])


def _part(run: Run, examples: Sequence[Example]) -> Part:
    return Part(examples, make_items(run.corpus, examples, run.tokenization))


def _first_course(run: Run, rest: Part, judged: Part, folder: Path) -> None:
    bank = _start_heads(run, rest)
    judge = None
    if judged.items:
        judge = Judge(lambda _network: _score(run, judged), noise=_noise(judged))
    fine_tune(
        run.network,
        rest.items,
        run.recipe,
        folder=folder,
        pad_id=run.pad_id,
        seed=run.options.seed,
        judge=judge,
        progress=lambda done, text: run.options.progress(0.05 + 0.75 * done, text),
        bank=bank,
        change=_variations(run, rest),
    )


def _variations(run: Run, part: Part) -> Callable[[int], Item] | None:
    recipe = run.recipe
    if not (recipe.swap or recipe.hide):
        return None
    pools = value_pools(part.examples)
    augmentation = Augmentation(pools, recipe.swap, recipe.hide, run.tokenization.mask_id)
    return changing(
        run.corpus, part.examples, part.items, run.tokenization, augmentation, run.options.seed
    )


def _start_heads(run: Run, part: Part) -> ContrastBank | None:
    """Begin with the logistic heads of the frozen encoder instead of random ones.

    Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", LP-FT.
    """
    frozen = predict(run.network, part.items, (), run.pad_id)
    targets, weights = targets_of(run.corpus, part.examples), weights_of(part.examples)
    for output, numbers in targets.items():
        head = head_of(run.network, output)
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


def head_of(network: JointNetwork, output: str) -> torch.nn.Linear:
    """The layer behind an output (`intent`, `response`, `head_<name>`)."""
    if output.startswith("head_"):
        found = network.further[output.removeprefix("head_")]
    else:
        found = getattr(network, output)
    assert isinstance(found, torch.nn.Linear)
    return found


def _score(run: Run, part: Part) -> float:
    """The mean of the intents' (and further heads') accuracy and the entities' F1."""
    found = predict(run.network, part.items, run.corpus.span_types, run.pad_id)
    scores = list(_accuracies(run.corpus, part.examples, found.logits).values())
    if run.corpus.span_types and any(e.entities for e in part.examples):
        scores.append(_entity_f1(part.examples, found))
    return float(np.mean(scores)) if scores else 0.0


def _accuracies(
    corpus: Corpus, examples: Sequence[Example], logits: Mapping[str, Floats]
) -> dict[str, float]:
    found = {}
    for output, gold in targets_of(corpus, examples).items():
        rows = gold >= 0
        if rows.any():
            found[output] = float((logits[output].argmax(axis=1) == gold)[rows].mean())
    return found


def _entity_f1(examples: Sequence[Example], found: Predictions) -> float:
    gold = [{(s.start, s.end, s.label) for s in e.entities} for e in examples]
    spans = [{(s.start, s.end, s.kind.label) for s in row} for row in found.spans]
    return metrics.score_entities(gold, spans).f1


def _noise(part: Part) -> float:
    """One standard error of an accuracy near 0.95 on this many messages."""
    return float(np.sqrt(0.95 * 0.05 / max(len(part.items), 1)))


def _held_out(run: Run, rest: Part, judged: Part, source: str) -> HeldOut:
    if not judged.items:
        # Too few examples to spare any: nothing is calibrated.
        nothing = np.zeros((0, run.network.encoder.config.hidden_size), np.float32)
        return HeldOut((), {}, nothing, nothing, nothing, source="none")
    found = predict(run.network, judged.items, run.corpus.span_types, run.pad_id)
    around = predict(run.network, rest.items, (), run.pad_id)
    known, outside = split_known(rest.examples, around.pooled)
    spans = found.spans if run.corpus.span_types else None
    return HeldOut(
        judged.examples, found.logits, found.pooled, known, outside, spans, source=source
    )


def _second_course(run: Run, everything: Part, folder: Path) -> None:
    recipe = replace(
        run.recipe,
        epochs=_SECOND_COURSE_EPOCHS,
        encoder_rate=run.recipe.encoder_rate * _SECOND_COURSE_RATE,
        head_rate=run.recipe.head_rate * _SECOND_COURSE_RATE,
    )
    fine_tune(
        run.network,
        everything.items,
        recipe,
        folder=folder,
        pad_id=run.pad_id,
        seed=run.options.seed,
        judge=None,
        progress=lambda done, text: run.options.progress(0.8 + 0.05 * done, text),
    )


def _finish(run: Run, everything: Part, judged: Part, held: HeldOut, out: Path) -> Fitted:
    run.options.progress(0.86, "exporting")
    run.network.to("cpu")
    save_network(run.network, out)
    run.tokenization.save(out / "tokenizer.json")
    target = out / "understanding.onnx"
    measured = Part(
        (judged if len(judged.items) >= _MEASURED // 5 else everything).examples[:_MEASURED],
        (judged if len(judged.items) >= _MEASURED // 5 else everything).items[:_MEASURED],
    )
    floor = _mean(_accuracies(run.corpus, measured.examples, _float_logits(run, measured)))
    in_float = export_network(
        run.network,
        target,
        measure=lambda path: _mean(
            _accuracies(run.corpus, measured.examples, _graph_logits(run, path, measured))
        ),
        floor=floor,
    )
    run.options.progress(0.93, "remembering the examples")
    vectors = _graph_outputs(run, target, everything, ["pooled"])["pooled"]
    return Fitted(
        held,
        vectors,
        run.options.encoder,
        run.tokenization.max_tokens,
        {"in_float": in_float},
    )


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else 1.0


def _float_logits(run: Run, part: Part) -> Mapping[str, Floats]:
    return predict(run.network, part.items, (), run.pad_id).logits


def _graph_logits(run: Run, path: Path, part: Part) -> dict[str, Floats]:
    outputs = list(targets_of(run.corpus, part.examples))
    found = _graph_outputs(run, path, part, [output_name(o) for o in outputs])
    return {output: found[output_name(output)] for output in outputs}


def _graph_outputs(run: Run, path: Path, part: Part, names: Sequence[str]) -> dict[str, Floats]:
    if not names:
        return {}
    session = open_session(path, run.options.threads)
    tokens = [item.tokens for item in part.items]
    rows: dict[str, list[Floats]] = {
        name: [np.zeros(0, np.float32)] * len(tokens) for name in names
    }
    for places, _mask, values in run_graph(session, tokens, list(names), pad_id=run.pad_id):
        for name in names:
            for row, place in enumerate(places):
                rows[name][place] = values[name][row]
    return {name: np.stack(found) for name, found in rows.items()}
