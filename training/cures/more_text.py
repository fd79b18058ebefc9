"""What cures make of the texts before and while a network is trained on them."""

from collections.abc import Callable, Sequence

from agent.project.types import Example
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.encoder_source import DEFAULT_ENCODER
from training.batches import Item, changing
from training.cures.augment import Augmentation, value_pools
from training.cures.pretrain import pretrain
from training.cures.wordings import Rewording, mistyped, spoken, with_synonyms
from training.cures.wordnet import find_wordnet, synonym_table
from training.errors import InputError
from training.network.start import Part, Run


def read_domain(run: Run) -> None:
    """Pretrain the encoder on the unlabelled texts and the examples', if the recipe says so."""
    recipe, options = run.recipe, run.options
    if recipe.pretrain:
        texts = [*options.unlabelled, *(e.text for e in run.corpus.examples)]
        pretrain(
            run.network,
            texts,
            run.tokenization,
            epochs=recipe.pretrain,
            pad_id=run.pad_id,
            seed=options.seed,
            progress=lambda done, text: options.progress(0.05 * done, text),
        )


def translated_examples(run: Run, part: Part) -> Sequence[Example]:
    """The part's examples as two translation models bring them back, if the recipe says so.

    Raises:
        InputError: no translation models are named, or one cannot be loaded.
    """
    if not run.recipe.translated:
        return ()
    if run.options.translators is None:
        raise InputError("--cure translate needs --translators THERE,BACK, two translation models")
    # Here and not at the top: few trainings need it, and it loads slowly.
    from training.cures.back_translation import BackTranslator, back_translated

    translate = BackTranslator(
        *run.options.translators,
        lambda done, text: run.options.progress(0.05 * done, text),
    )
    return back_translated(part.examples, translate, run.recipe.translated)


def variations(run: Run, part: Part) -> Callable[[int], Item] | None:
    """What gives an item by its row, each time a little different; None where nothing varies."""
    recipe = run.recipe
    wordings = _wordings(run, part)
    if not (recipe.swap or recipe.hide or wordings):
        return None
    pools = value_pools(part.examples)
    augmentation = Augmentation(pools, recipe.swap, recipe.hide, run.tokenization.mask_id, wordings)
    return changing(
        run.corpus, part.examples, part.items, run.tokenization, augmentation, run.options.seed
    )


def _wordings(run: Run, part: Part) -> list[tuple[Rewording, float]]:
    recipe = run.recipe
    found: list[tuple[Rewording, float]] = []
    if recipe.synonyms:
        encoder = Encoder.load(encoder_folder(DEFAULT_ENCODER), threads=1)
        table = synonym_table((e.text for e in part.examples), find_wordnet(), encoder.encode)
        found.append((with_synonyms(table), recipe.synonyms))
    if recipe.typos:
        found.append((mistyped, recipe.typos))
    if recipe.speech:
        found.append((spoken, recipe.speech))
    return found
