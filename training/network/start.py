"""A network at the beginning of its training: fresh heads on an encoder, or an earlier model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from agent.project.types import Example
from agent.understanding.labels import Spec
from agent.understanding.network import JointNetwork, build_network, load_network
from knowledge.encoder_source import source_folder
from training.batches import Item, make_items
from training.corpus import Corpus
from training.errors import InputError
from training.features import Tokenization
from training.network.recipe import Recipe, choose_recipe
from training.options import TrainOptions

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Run:
    """What all steps of a run share; `follows` (L, L) is what steps between tags count.

    `teacher` is the larger network that a compressed one has learned from.
    """

    corpus: Corpus
    options: TrainOptions
    recipe: Recipe
    network: JointNetwork
    tokenization: Tokenization
    pad_id: int
    follows: Floats | None = None
    teacher: JointNetwork | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Examples with their tensors."""

    examples: Sequence[Example]
    items: Sequence[Item]


def prepare_torch(options: TrainOptions) -> None:
    """Seeds, threads, and silence on standard output."""
    transformers.set_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def start(corpus: Corpus, options: TrainOptions) -> Run:
    """The network at the beginning, from an encoder or from an earlier model, and its tokenizer."""
    path = source_folder(options.encoder) / "tokenizer.json"
    if options.init_from is not None and (options.init_from / "tokenizer.json").is_file():
        # Which character has which id was settled when the earlier model was trained.
        path = options.init_from / "tokenizer.json"
    if not path.is_file():
        raise InputError(
            "this encoder has no fast tokenizer (tokenizer.json); choose one that has", path=path
        )
    texts = [example.text for example in corpus.examples]
    told = bool(corpus.span_types)  # capitals mark names, and say little of intents
    tokenization = Tokenization.load(path, options.max_tokens, texts, casing=told)
    fresh = build_network(
        options.encoder,
        intents=corpus.classes,
        tags=tag_names(corpus),
        heads=corpus.heads,
        casing=tokenization.casing,
    )
    if options.init_from is not None:
        carry_over(load_network(options.init_from), fresh)
    tokenization.limit(int(fresh.encoder.config.max_position_embeddings) - 2)
    pad_id = int(fresh.encoder.config.pad_token_id or 0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = choose_recipe(corpus, options)
    return Run(corpus, options, recipe, fresh.to(device), tokenization, pad_id)


def tag_names(corpus: Corpus) -> tuple[str, ...]:
    """The tags of the entity head; empty without entities."""
    return Spec(span_types=corpus.span_types).tags


def carry_over(old: JointNetwork, new: JointNetwork, *, share: float = 1.0) -> None:
    """Move the encoder's weights, and those rows of the heads whose label both networks have.

    `share` in [0, 1] says how far they go from what `new` has to what `old` has.

    Raises:
        InputError: the encoders have different shapes.
    """
    try:
        _mix(old.encoder, new.encoder, share)
    except RuntimeError as error:
        raise InputError(
            f"the model to continue from has another encoder ({old.config.encoder_name}); "
            "name the same one or train from scratch"
        ) from error
    if old.casing is not None and new.casing is not None:
        _mix(old.casing, new.casing, share)
    for name, labels in (("intent", "intents"), ("entity", "tags")):
        before, after = getattr(old.config, labels) or [], getattr(new.config, labels) or []
        rows = [(after.index(label), before.index(label)) for label in after if label in before]
        if rows:
            ours, theirs = (list(column) for column in zip(*rows, strict=True))
            _mix_rows(getattr(old, name), theirs, getattr(new, name), ours, share)


def _mix_rows(
    old: torch.nn.Linear, theirs: list[int], new: torch.nn.Linear, ours: list[int], share: float
) -> None:
    with torch.no_grad():
        for mine, other in ((new.weight, old.weight), (new.bias, old.bias)):
            mine[ours] = torch.lerp(mine[ours], other[theirs].to(mine.device), share)


def _mix(old: torch.nn.Module, new: torch.nn.Module, share: float) -> None:
    theirs = old.state_dict()
    mixed = {
        name: torch.lerp(ours, theirs[name].to(ours.device), share)
        for name, ours in new.state_dict().items()
        if ours.is_floating_point()
    }
    new.load_state_dict(mixed, strict=False)


def part_of(run: Run, examples: Sequence[Example]) -> Part:
    """Examples with their tensors, numbered as the run's corpus says."""
    return Part(examples, make_items(run.corpus, examples, run.tokenization))


def head_of(network: JointNetwork, output: str) -> torch.nn.Linear:
    """The layer behind an output (`intent`, `head_<name>`)."""
    if output.startswith("head_"):
        found = network.further[output.removeprefix("head_")]
    else:
        found = getattr(network, output)
    assert isinstance(found, torch.nn.Linear)
    return found
