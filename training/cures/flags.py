"""The cures for little or noisy data that `agent train --cure` names, and what each one sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.errors import InputError


@dataclass(frozen=True, slots=True)
class Cure:
    """A number of the recipe, its usual size and the largest; `also` sets further numbers."""

    key: str
    usual: float
    most: float = 1.0
    also: Mapping[str, float] = field(default_factory=dict)


CURES: Mapping[str, Cure] = {
    # Weighs how far two passes over the same rows may differ.
    "rdrop": Cure("rdrop", 1.0, 10.0),
    # How far embeddings are shifted to where the loss grows, in one step and in three.
    "fgm": Cure("adversarial", 1.0, 10.0),
    "pgd": Cure("adversarial", 1.0, 10.0, {"adversarial_steps": 3}),
    "smoothing": Cure("label_smoothing", 0.1),
    # Chances that a word is masked, and that an entity is shown with another value of its type.
    "hide": Cure("hide", 0.1),
    "swap": Cure("swap", 0.3),
    # Chances that an example is shown mistyped, as speech is written down, with other words.
    "typos": Cure("typos", 0.3),
    "speech": Cure("speech", 0.3),
    "synonyms": Cure("synonyms", 0.3),
    # How much an example counts that comes back from another language.
    "translate": Cure("translated", 0.5, 10.0),
    # Epochs of masked language modelling before the training.
    "pretrain": Cure("pretrain", 3.0, 100.0),
    # The confidence from which a network's own label of an unlabelled text is believed.
    "pseudo": Cure("pseudo", 0.95),
    # How many networks, each of its own seed, teach the one that is kept.
    "ensemble": Cure("ensemble", 3.0, 10.0),
}


def read_cures(wanted: Sequence[str]) -> dict[str, float]:
    """The numbers of the recipe that some `NAME` or `NAME=SIZE` set.

    Raises:
        InputError: an unknown name, or a size that is no number or too large.
    """
    found: dict[str, float] = {}
    for one in wanted:
        name, equals, size = one.partition("=")
        if name not in CURES:
            raise InputError(f"unknown --cure {name!r}: use one of {', '.join(CURES)}")
        cure = CURES[name]
        try:
            value = float(size) if equals else cure.usual
        except ValueError as error:
            raise InputError(f"--cure {one!r}: the size must be a number") from error
        if not 0 <= value <= cure.most:
            raise InputError(f"--cure {one!r}: the size must lie between 0 and {cure.most:g}")
        found |= {**cure.also, cure.key: value}
    if "ensemble" in found:
        found["ensemble"] = max(1, round(found["ensemble"]))
    return found
