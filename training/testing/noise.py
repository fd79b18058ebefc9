"""Messages as people really type them: typos, casing, punctuation, spacing, other wording."""

import string
from collections.abc import Callable, Sequence
from random import Random

from agent.project.types import Example
from training.cures.edits import Edits, edited, free_words, in_entity, touches_entity

# One word in so many is mistyped, at least one a message.
_WORDS_A_TYPO = 6
_SHORTEST_WORD = 4
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: [row[i] for i in (at - 1, at + 1) if 0 <= i < len(row)]
    for row in _ROWS
    for at, key in enumerate(row)
}
_BEFORE = ("hi, ", "hello there, ", "um, ", "so ", "excuse me, ", "quick question: ", "ok ")
_AFTER = (" please", " thanks", ", thank you", " if possible", ", cheers", " asap")
_SPELLINGS = {
    "i'm": "i am",
    "i am": "i'm",
    "don't": "do not",
    "do not": "don't",
    "can't": "cannot",
    "what's": "what is",
    "what is": "what's",
    "i'd like": "i would like",
    "i would like": "i'd like",
    "want to": "wanna",
    "going to": "gonna",
    "you": "u",
    "please": "pls",
    "because": "cuz",
}


def _typos(example: Example, rng: Random) -> Edits:
    words = [(a, b) for a, b in free_words(example) if b - a >= _SHORTEST_WORD]
    count = max(1, round(len(example.text.split()) / _WORDS_A_TYPO))
    edits = []
    for start, end in sorted(rng.sample(words, min(count, len(words)))):
        at = rng.randrange(start + 1, end - 1)
        here, after = example.text[at], example.text[at + 1]
        near = _NEIGHBOURS.get(here.lower(), [here * 2])
        edits.append(
            rng.choice(
                (
                    (at, at + 2, after + here),
                    (at, at + 1, ""),
                    (at, at + 1, here * 2),
                    (at, at + 1, rng.choice(near)),
                )
            )
        )
    return edits


def _casing(example: Example, rng: Random) -> Edits:
    change = rng.choice((str.upper, str.lower, str.swapcase))
    return [(i, i + 1, change(char)) for i, char in enumerate(example.text)]


def _punctuation(example: Example, rng: Random) -> Edits:
    text = example.text
    marks = [
        (i, i + 1, "")
        for i, c in enumerate(text)
        if c in string.punctuation and not in_entity(example, i)
    ]
    if marks and rng.random() < 0.5:
        return marks
    end = len(text.rstrip(string.punctuation + " "))
    if any(e.end > end for e in example.entities):
        return marks
    return [(end, len(text), rng.choice(("!!", "...", "??", " .", ",", " :)")))]


def _spacing(example: Example, rng: Random) -> Edits:
    gaps = [i for i, c in enumerate(example.text) if c == " " and not touches_entity(example, i)]
    return [(at, at + 1, rng.choice(("", "   "))) for at in rng.sample(gaps, min(1, len(gaps)))]


def _wording(example: Example, rng: Random) -> Edits:
    lower = example.text.lower()
    edits: Edits = []
    for spelling, other in _SPELLINGS.items():
        at = f" {lower} ".find(f" {spelling} ")
        if at >= 0 and len(lower) == len(example.text) and not in_entity(example, at):
            edits = [(at, at + len(spelling), other)]
            break
    if rng.random() < 0.5:
        return [(0, 0, rng.choice(_BEFORE)), *edits]
    return [*edits, (len(lower), len(lower), rng.choice(_AFTER))]


NOISES: dict[str, Callable[[Example, Random], Edits]] = {
    "typos": _typos,
    "casing": _casing,
    "punctuation": _punctuation,
    "spacing": _spacing,
    "wording": _wording,
}


def disturb(examples: Sequence[Example], noise: str, seed: int = 0) -> list[Example]:
    """The examples under one kind of noise; entities keep their spans, and their letters.

    Only casing changes the characters of an entity. The same seed gives the same texts.

    Args:
        examples: labelled messages.
        noise: a key of `NOISES`.
        seed: of the random choices.
    """
    return [
        edited(one, NOISES[noise](one, Random(f"{seed} {noise} {one.text}")))  # noqa: S311
        for one in examples
    ]
